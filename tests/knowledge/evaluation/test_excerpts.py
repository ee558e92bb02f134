"""Passages against excerpts, in the format and by the definitions of Chroma's evaluation."""

import json
from pathlib import Path

import pytest

from chatapp.core.text import Span, normalise
from chatapp.knowledge.evaluation.evaluate import evaluate
from chatapp.knowledge.evaluation.excerpts import Offsets, Score, load, score
from chatapp.knowledge.evaluation.questions import InvalidSet
from chatapp.settings import OFF, Settings
from tests.support.embedserver import EmbedServer
from tests.support.question_sets import write_excerpts

CATS = "# Cats\n\n\n\nCats sleep for most of the day.  \n\nA cat named Tom ate a whole cheese."
PLANTS = "# Plants\n\nThe fern in the hall needs water every Monday.\n"


def test_scores_count_characters_as_published() -> None:
    excerpts = [Span(0, 10), Span(20, 30)]
    # 5 + 5 of 20 characters are found in 20 of this document and 10 of another.
    found = score(excerpts, [Span(5, 25)], 30)
    assert found == Score(10 / 20, 10 / 30, 10 / (30 + 10))
    assert score(excerpts, [], 0) == Score(0, 0, 0)
    assert score(excerpts, [Span(0, 10), Span(20, 30)], 20) == Score(1, 1, 1)


def test_excerpts_and_passages_that_overlap_count_once() -> None:
    assert score([Span(0, 10), Span(5, 10)], [Span(0, 8), Span(4, 10)], 14).recall == 1


def test_offsets_survive_the_reading_of_a_document() -> None:
    original = "One.\n\n\n\n\nTwo  \r\n\u200bthree.\t\n\nFour."
    read = normalise(original)
    assert len(read) < len(original)
    for word in ("One.", "Two", "three.", "Four."):
        span = Offsets(original, read).carry(
            Span(original.index(word), original.index(word) + len(word))
        )
        assert read[span.start : span.end] == word


def test_a_folder_is_measured_with_whole_documents(tmp_path: Path) -> None:
    folder = write_excerpts(
        tmp_path / "set",
        {"cats": CATS, "plants": PLANTS},
        {
            "What did Tom the cat eat?": ("cats", ["A cat named Tom ate a whole cheese."]),
            "When does the fern need water?": ("plants", [PLANTS.strip().split("\n")[-1]]),
        },
    )
    report = evaluate(folder, Settings(embedder=OFF))
    figures = report.figures(report.outcome)
    assert (report.kind, report.files, report.questions) == ("excerpts", 2, 2)
    assert figures["excerpts"].estimates["recall"].value == 1
    assert 0 < figures["excerpts"].estimates["precision"].value < 1
    assert {"corpus:cats", "corpus:plants"} < figures.keys()


def test_splitting_by_meaning_is_measured_where_it_is_possible(tmp_path: Path) -> None:
    subjects = ("cats sleep and purr", "trains run and stop", "bread bakes and rises")
    text = "\n\n".join(
        " ".join(f"The {subject} on day {day}." for day in range(30)) for subject in subjects
    )
    excerpt = "The trains run and stop on day 7."
    folder = write_excerpts(
        tmp_path / "set", {"days": text}, {"When do trains stop?": ("days", [excerpt])}
    )
    with EmbedServer() as server:
        by_meaning = Settings(embedder="a-model", embedder_url=server.base_url, splitting="meaning")
        report = evaluate(folder, by_meaning, Settings(embedder=OFF, splitting="meaning"))
    assert report.against is not None
    assert (report.outcome.splitting, report.outcome.split_otherwise) == ("meaning", 0)
    assert report.against.split_otherwise == 1  # nothing compares the sentences


def test_documents_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    folder = write_excerpts(tmp_path, {"cats": CATS}, {"Tom?": ("cats", ["Tom"])})
    (folder / "corpora").mkdir()
    (folder / "cats.md").rename(folder / "corpora" / "cats.md")
    texts, (question,) = load(folder)
    assert texts["cats"][question.excerpts[0].start :].startswith("Tom")


@pytest.mark.parametrize(
    "row",
    [
        {"references": "no JSON"},
        {"references": "[]"},
        {"references": json.dumps([{"start_index": 7, "end_index": 3}])},
        {"corpus_id": "missing"},
        {"corpus_id": "../cats"},
    ],
)
def test_a_folder_in_another_format_is_reported(tmp_path: Path, row: dict[str, str]) -> None:
    folder = write_excerpts(tmp_path, {"cats": CATS}, {"Tom?": ("cats", ["Tom"])})
    given = {
        "question": "Tom?",
        "references": json.dumps([{"start_index": 0, "end_index": 3}]),
        "corpus_id": "cats",
    } | row
    quoted = ['"' + given[name].replace('"', '""') + '"' for name in given]
    (folder / "questions_df.csv").write_text(
        f"question,references,corpus_id\n{','.join(quoted)}\n", "utf-8"
    )
    with pytest.raises(InvalidSet, match="excerpts"):
        load(folder)


def test_excerpts_beyond_the_document_are_reported() -> None:
    with pytest.raises(InvalidSet):
        Offsets(CATS, normalise(CATS)).carry(Span(len(CATS) + 1, len(CATS) + 5))
    with pytest.raises(InvalidSet):
        Offsets("other text", "text")
