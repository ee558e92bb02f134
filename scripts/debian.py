"""Debian packages for the tests: browser, fonts, office, proxy, database. See setup.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from commands import ON_CI, SetupError, failure, run
from sentences import say, sentence

PACKAGES = {  # package: a program or file that it installs
    "chromium-headless-shell": "/usr/bin/chromium-headless-shell",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "libreoffice-writer-nogui": "/usr/lib/libreoffice/program/libswlo.so",
    "libreoffice-impress-nogui": "/usr/lib/libreoffice/program/libslideshowlo.so",
    "apache2": "/usr/sbin/apache2",
    "caddy": "/usr/bin/caddy",
    "iproute2": "/usr/sbin/ip",
    "nginx": "/usr/sbin/nginx",
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
    "systemd": "/usr/bin/systemd-analyze",
}
POLICY = Path("/usr/sbin/policy-rc.d")


def system_packages() -> None:
    """Install the programs that the tests start, as root; on CI none may be missing."""
    missing = [package for package, file in PACKAGES.items() if not any(Path("/").glob(file[1:]))]
    if not missing:
        return
    names = ", ".join(missing)
    if shutil.which("apt-get") is None or os.getuid() != 0:
        command = f"apt-get update && apt-get install {' '.join(missing)}"
        if ON_CI:
            raise SetupError(sentence("tests_need", names=names, command=command))
        say(sentence("tests_skipped", names=names, command=command))
        return
    say("  " + sentence("for_tests", names=names))
    no_service = not POLICY.exists()
    if no_service:  # else Debian starts what it installs, listening on every address
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        POLICY.chmod(0o755)
    try:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            status, output = run(["apt-get", "-q", *arguments])
            if status and ON_CI:
                raise failure(names, "/etc/apt", output)
            if status:
                say("  " + sentence("tests_without"))
                return
    finally:
        if no_service:
            POLICY.unlink()
