"""`python -m chatapp …`: the command line."""

from chatapp.cli.commands import main

main()
