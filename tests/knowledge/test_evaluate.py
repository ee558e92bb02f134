"""`chatapp eval` measures what it says, on a file so small that every number can be counted by hand."""

import json
from pathlib import Path

from chatapp.knowledge.evaluate import evaluate

TOWNS = ("Bonn", "Ulm", "Jena", "Kiel", "Trier", "Essen", "Hagen", "Celle")
THINGS = ("stamps", "coins", "shoes", "maps", "hats", "books", "cups", "rugs")


def test_it_counts_what_is_found_answered_and_declined(tmp_path: Path) -> None:
    data = []
    for town, thing in zip(TOWNS, THINGS, strict=True):
        context = f"The mayor of {town} collects {thing} at home."
        questions = [
            {"question": f"What does the mayor of {town} collect?", "answers": [{"text": f"{town} collects", "answer_start": 0}]},
            {"question": "Impossible?", "answers": [], "is_impossible": True},
        ]
        data.append({"title": town, "paragraphs": [{"context": context, "qas": questions}, {"context": " ", "qas": []}]})
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": data}), "utf-8")
    report = evaluate(file)
    assert (report.paragraphs, report.questions, report.foreign) == (8, 8, 8)
    assert report.recall == {1: 1.0, 5: 1.0, 10: 1.0}
    assert (report.mrr, report.answered) == (1.0, 1.0)
    assert 0 <= report.declined <= 1
    assert any(line.startswith("retrieval  R@1 100.0") for line in report.lines())
