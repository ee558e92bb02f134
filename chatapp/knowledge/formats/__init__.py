"""File formats: one module per format reads a file into a Document. registry.py lists them."""
