"""`python -m chatapp …`: the command line."""

import gc

gc.disable()  # see wsgi.py

from chatapp.cli.commands import main  # noqa: E402

gc.enable()
main()
