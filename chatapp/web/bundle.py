"""The bundled page, made by scripts/bundle.py: smaller files under the same names as the sources.

It is used only while every file that it was made from is unchanged; a changed source is served
after a restart, unbundled until set-up runs again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = "bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Contents by name, and for each page's script the files to load together with it."""

    files: Mapping[str, bytes]
    preload: Mapping[str, Sequence[str]]


def current(static: Path) -> Bundle:
    """Return the bundle below the folder of static files if it is current, else an empty one.

    It is read into memory: set-up may replace it while the service runs.
    """
    folder = static / FOLDER
    try:
        made = json.loads((folder / "bundle.json").read_text("utf-8"))
        if any(_digest(static / name) != digest for name, digest in made["inputs"].items()):
            return Bundle({}, {})
        names = [name for file in made["files"] for name in (file, f"{file}.gz")]
        return Bundle({name: (folder / name).read_bytes() for name in names}, made["preload"])
    except (OSError, ValueError, KeyError):
        return Bundle({}, {})


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
