"""File formats: one module per format, each reads a file into a Document. The table is
registry.py."""
