"""File formats: indices and palette to the bytes of a file, one module for each."""
