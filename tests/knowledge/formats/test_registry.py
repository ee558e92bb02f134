"""The table of formats agrees with the manual, and the readers with the catalogues."""

import json
import re
from itertools import chain
from pathlib import Path

import pytest

from chatapp.knowledge.formats.registry import SUPPORTED

ROOT = Path(__file__).parents[3]
MANUAL = ROOT / "docs" / "manual"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_manual_names_every_format(language: str) -> None:
    text = (MANUAL / f"{language}.md").read_text("utf-8").lower()
    assert [name for name in SUPPORTED.lower().split(", ") if name not in text] == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_reason_of_a_reader_has_words_for_a_file_within_a_file(language: str) -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "chatapp").glob("knowledge/f*/*.py"))
    reasons = set(re.findall(r'Unreadable\(\s*"(\w+)"|"(blank\w*|old_office|picture|sound)"', code))
    texts = json.loads((ROOT / "static" / "i18n" / f"{language}.json").read_text("utf-8"))
    named = [reason for reason in chain(*reasons) if reason]
    assert len(named) > 10
    assert [reason for reason in named if f"knowledge.left_out.{reason}" not in texts] == []
