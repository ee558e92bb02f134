"""Measures search and the built-in model on sets of questions, with the product's own steps.

`evaluate.py` is the entry point; `chatapp eval` and `bench/retrieval.py` call it.
"""
