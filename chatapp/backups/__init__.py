"""Backups of a home: how they are made, checked and restored, and how space is given back."""
