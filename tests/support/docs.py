"""The documents, their code blocks, and all settings."""

import dataclasses
import re
from pathlib import Path

from chatapp.settings import Settings

ROOT = Path(__file__).parents[2]

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
MANUALS = [ROOT / "docs" / "manual" / "en.md", ROOT / "docs" / "manual" / "zh-CN.md"]
API = ROOT / "docs" / "api.md"
SECURITY = ROOT / "docs" / "security.md"
DEPLOYMENT = ROOT / "docs" / "deployment"
GUIDES = sorted(path for path in (ROOT / "docs").rglob("*.md") if path not in MANUALS)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def settings() -> dict[str, object]:
    """Return every variable with its default."""
    return {field.metadata["name"]: field.default for field in dataclasses.fields(Settings)}


def readme_blocks(path: Path, kind: str = "sh") -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", read(path), re.MULTILINE | re.DOTALL)


def rows_of_open_routes() -> list[str]:
    """Return the routes that docs/security.md calls open to anyone."""
    return re.findall(r"^\| `((?:GET|POST) /[^`]*)` \|", read(SECURITY), re.MULTILINE)
