"""The command line, `python -m chatapp …`: one module per command."""
