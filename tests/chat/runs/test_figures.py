"""Figures are recorded once an answer and never for each token."""

import ast
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableGenerator

from chatapp.chains.upstream_errors import UpstreamRateLimit
from chatapp.chat.runs import writer
from chatapp.chat.runs.writer import Job, Writer
from chatapp.core import answer, sse
from chatapp.core.events import Context
from chatapp.core.prompt import Ask
from chatapp.metrics import figures
from chatapp.settings import Settings
from tests.support.service import PATIENCE_SECONDS

# What each token passes, from the supplier's bytes to the reader's.
TOKEN_PATH = (
    answer,
    sse,
    *(sys.modules[f"chatapp.chains.{name}"] for name in ("pieces", "call")),
    *(sys.modules[f"chatapp.chat.runs.{name}"] for name in ("live",)),
)
MAY_RECORD = {"_record"}  # called once, when an answer has ended


def ended(tokens: int, fault: Exception | None = None) -> Writer:
    """Write an answer of so many tokens to its end."""

    def stream(_: Any) -> Any:
        yield from ("word " for _ in range(tokens))
        if fault is not None:
            raise fault

    made = Writer(
        job=Job(Context("m", "s", "a", "q"), "u", Ask("Why?"), lambda: RunnableGenerator(stream)),
        save_ending=lambda _: None,
        forget=lambda: None,
        settings=Settings(),
    )
    made.start()
    made.join(PATIENCE_SECONDS)
    assert made.log.ended
    return made


def recorded() -> Counter[tuple[str, tuple[str, ...]]]:
    found = Counter((figure.name, labels) for figure, labels, _ in figures.records)
    figures.records.clear()
    return found


@pytest.mark.parametrize("tokens", [1, 10, 5000])
def test_an_answer_records_as_much_with_many_tokens_as_with_one(tokens: int) -> None:
    figures.records.clear()
    ended(tokens)
    assert recorded() == {
        ("chatapp_answers_total", ("complete",)): 1,
        ("chatapp_first_token_seconds", ()): 1,
        ("chatapp_answer_gap_seconds", ()): 1,
        ("chatapp_answer_seconds", ()): 1,
    }


def test_an_error_of_a_supplier_is_counted_by_its_code() -> None:
    figures.records.clear()
    ended(0, UpstreamRateLimit(supplier="Atlas"))
    ended(0, ValueError("a bug"))
    found = recorded()
    assert found["chatapp_answers_total", ("failed",)] == 2
    assert [key for key in found if key[0] == "chatapp_supplier_errors_total"] == [
        ("chatapp_supplier_errors_total", ("upstream_rate_limit",))
    ]


def test_a_pause_is_measured_once_a_second_from_the_first_text_on() -> None:
    figures.records.clear()
    made = ended(3)
    for now in (10.0, 11.0, 14.0):
        made.note_pause(now)
    assert made._longest_pause == 4.0


def test_nothing_on_the_path_of_a_token_records_figures() -> None:
    for module in TOKEN_PATH:
        assert "chatapp.metrics" not in Path(str(module.__file__)).read_text("utf-8"), module
    tree = ast.parse(Path(str(writer.__file__)).read_text("utf-8"))
    recording = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "record"
    }
    assert recording == MAY_RECORD
