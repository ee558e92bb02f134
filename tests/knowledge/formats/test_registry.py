"""The table of formats and the manual agree."""

from pathlib import Path

import pytest

from chatapp.knowledge.formats.registry import SUPPORTED

MANUAL = Path(__file__).parents[3] / "docs" / "manual"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_manual_names_every_format(language: str) -> None:
    text = (MANUAL / f"{language}.md").read_text("utf-8").lower()
    assert [name for name in SUPPORTED.lower().split(", ") if name not in text] == []
