"""What the tests start besides: Chromium, fonts, nginx, PostgreSQL, from Debian's packages.

Standard library only, and readable by Python 3.7, like all that setup.py imports.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import SetupError, failure, on_ci, run
from progress import say
from sentences import sentence

# package: the program or file that shows it is there
SYSTEM = {
    "chromium": "chromium",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "nginx": "/usr/sbin/nginx",
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
}


def system_packages() -> None:
    """Install what the tests start, where we may; under CI=true it is an error when we cannot."""
    missing = [package for package, sign in SYSTEM.items() if not is_there(sign)]
    if not missing:
        return
    names = ", ".join(missing)
    if shutil.which("apt-get") is None or os.getuid() != 0:
        hint = sentence("as_root", command=f"apt-get update && apt-get install {' '.join(missing)}")
        if on_ci():
            raise SetupError(sentence("tests_need", names=names, hint=hint))
        say(sentence("tests_skipped", names=names, hint=hint))
        return
    say("  " + sentence("for_tests", names=names))
    with no_service_starts():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            status, output = run(
                ["apt-get", "-q", *command],
                environ={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
            if status and on_ci():
                raise failure(output, names, "apt")
            if status:
                say("  " + sentence("tests_without"))
                return


def is_there(sign: str) -> bool:
    """Tell whether a program (by name) or a file (by path or pattern) is here."""
    return any(Path("/").glob(sign[1:])) if sign.startswith("/") else shutil.which(sign) is not None


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep Debian from starting the services of what it installs, which would listen on every address."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
