"""Searching chunks by keyword and by meaning."""
