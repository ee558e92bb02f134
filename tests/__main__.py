"""`python -m tests [--measure] …`: run pytest with these options, perhaps measure coverage, exit.

The interpreter is not finalised: a native thread that a library has left may hang it for ever.
"""

import atexit
import os
import sys

import pytest
from coverage import Coverage


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    if "--measure" not in arguments:
        return int(pytest.main(arguments))
    arguments.remove("--measure")
    measuring = Coverage()
    measuring.start()
    try:
        return int(pytest.main(arguments))
    finally:
        measuring.stop()
        measuring.save()


status = main(sys.argv[1:])
atexit._run_exitfuncs()
for stream in (sys.stdout, sys.stderr):
    stream.flush()
os._exit(status)
