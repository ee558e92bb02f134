"""Figures of this installation for operators: what is counted, kept and shown as text."""
