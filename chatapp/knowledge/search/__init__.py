"""Search by keyword (lexical.py, bm25.py) and by meaning (dense.py); retrieve.py combines both."""
