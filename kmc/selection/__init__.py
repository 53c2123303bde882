"""What kmc.choose_k is made of: fits at several k, figures of them, and a choice."""
