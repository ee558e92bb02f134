"""`chatapp eval` reports correct figures, on a file small enough to count by hand."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatapp.cli.commands import commands
from chatapp.knowledge.evaluate import evaluate

TOWNS = ("Bonn", "Ulm", "Jena", "Kiel", "Trier", "Essen", "Hagen", "Celle")
THINGS = ("stamps", "coins", "shoes", "maps", "hats", "books", "cups", "rugs")


def test_the_report_counts_found_answered_and_declined_questions(tmp_path: Path) -> None:
    data = []
    for town, thing in zip(TOWNS, THINGS, strict=True):
        context = f"The mayor of {town} collects {thing} at home."
        questions = [
            {
                "question": f"What does the mayor of {town} collect?",
                "answers": [{"text": f"{town} collects", "answer_start": 0}],
            },
            {"question": "Impossible?", "answers": [], "is_impossible": True},
        ]
        data.append(
            {
                "title": town,
                "paragraphs": [{"context": context, "qas": questions}, {"context": " ", "qas": []}],
            }
        )
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": data}), "utf-8")
    report = evaluate(file)
    assert (report.paragraphs, report.questions, report.foreign) == (8, 8, 8)
    assert report.recall == {1: 1.0, 5: 1.0, 10: 1.0}
    assert (report.mrr, report.answered) == (1.0, 1.0)
    assert 0 <= report.declined <= 1


def test_the_command_prints_the_report(tmp_path: Path) -> None:
    contexts = [
        f"The mayor of {town} collects {thing}." for town, thing in zip(TOWNS, THINGS, strict=True)
    ]
    asked = [
        {"question": f"What does {town} collect?", "answers": [{"text": thing}]}
        for town, thing in zip(TOWNS, THINGS, strict=True)
    ]
    articles = [
        {"paragraphs": [{"context": text, "qas": [one]}]}
        for text, one in zip(contexts, asked, strict=True)
    ]
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": articles}), "utf-8")
    done = CliRunner().invoke(commands, ["eval", str(file)])
    assert done.exit_code == 0
    assert done.stdout.startswith("paragraphs 8, questions 8, embedder ")
    assert "retrieval  R@1 100.0" in done.stdout
    assert "indexing 8 paragraphs" in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"data": []}', '{"data": [{"title": "a"}]}'])
def test_a_file_in_another_format_is_reported(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, "utf-8")
    done = CliRunner().invoke(commands, ["eval", str(file)])
    assert done.exit_code == 1
    assert "SQuAD" in str(done.exception) or "SQuAD" in done.output
    assert CliRunner().invoke(commands, ["eval", str(tmp_path / "none.json")]).exit_code == 2
