"""What kmc.evaluate is made of: one module for each measure."""
