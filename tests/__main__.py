"""`python -m tests [--measure] …`: run pytest with these options, perhaps measure coverage, exit.

The interpreter is not finalised: a native thread that a library has left may hang it for ever.
"""

import atexit
import os
import sys

import pytest
from coverage import Coverage

# A run of the in-process tests stood still for ten minutes where Python hands its lock over to a
# thread that asked for it. The C library before 2.41 can lose the wake-up that it waits for there
# (sourceware.org, bug 25847). With this interval threads ask twenty times less often.
SWITCH_SECONDS = 0.1


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    if "--measure" not in arguments:
        return int(pytest.main(arguments))
    arguments.remove("--measure")
    sys.setswitchinterval(SWITCH_SECONDS)
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
