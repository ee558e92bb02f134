"""`python -m tests [--measure FILE] …`: run pytest with these options, then exit.

With `--measure`, which of our lines and branches ran is written to a file of JSON. The interpreter
is not finalised: a native thread that a library has left may hang it for ever.
"""

import atexit
import json
import os
import sys
from pathlib import Path

import pytest

# A run of the in-process tests stood still for ten minutes where Python hands its lock over to a
# thread that asked for it. The C library before 2.41 can lose the wake-up that it waits for there
# (sourceware.org, bug 25847). With this interval threads ask twenty times less often.
SWITCH_SECONDS = 0.1
SOURCES = ["chatapp"]
# pytest cannot rewrite the assertions of what it finds imported; SlipCover has a plugin for it.
IMPORTED = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"


def measure(file: Path, arguments: list[str]) -> int:
    """Return pytest's exit status, and write what ran."""
    from slipcover import FileMatcher, ImportManager, Slipcover

    sys.setswitchinterval(SWITCH_SECONDS)
    measuring = Slipcover(source=SOURCES, branch=True)
    with ImportManager(measuring, FileMatcher(sources=SOURCES)):
        status = int(pytest.main(["-W", IMPORTED, *arguments]))
    file.write_text(json.dumps(measuring.get_coverage()))
    return status


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    if "--measure" not in arguments:
        return int(pytest.main(arguments))
    place = arguments.index("--measure")
    return measure(Path(arguments[place + 1]), arguments[:place] + arguments[place + 2 :])


status = main(sys.argv[1:])
atexit._run_exitfuncs()
for stream in (sys.stdout, sys.stderr):
    stream.flush()
os._exit(status)
