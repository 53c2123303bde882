"""What kmc.load is made of: files, PIL images and arrays to pixels; what a file says beside them."""
