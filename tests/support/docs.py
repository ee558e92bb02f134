"""READMEs and manuals, their code blocks, and the settings they may name."""

import dataclasses
import re
from pathlib import Path

from chatapp.settings import Settings

ROOT = Path(__file__).parents[2]

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


MANUALS = [ROOT / "docs" / "manual" / "en.md", ROOT / "docs" / "manual" / "zh-CN.md"]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def settings() -> dict[str, object]:
    """Return variable: default."""
    return {field.metadata["name"]: field.default for field in dataclasses.fields(Settings)}


def readme_blocks(path: Path, kind: str = "sh") -> list[str]:
    """Return the fenced blocks of a kind; an integration test runs those of the shell."""
    return re.findall(rf"^```{kind}\n(.*?)^```", read(path), re.MULTILINE | re.DOTALL)
