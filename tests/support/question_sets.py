"""Small sets of questions in SQuAD's format and in that of Chroma's chunking evaluation."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOWNS = ("Bonn", "Ulm", "Jena", "Kiel", "Trier", "Essen", "Hagen", "Celle")
THINGS = ("stamps", "coins", "shoes", "maps", "hats", "books", "cups", "rugs")


def asked(question: str, *answers: str, id: str = "") -> dict[str, Any]:
    """Return a question, without an answer an impossible one."""
    given = [{"text": each, "answer_start": 0} for each in answers]
    return {"id": id, "question": question, "answers": given, "is_impossible": not answers}


def paragraph(context: str, *questions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a paragraph with its questions."""
    return {"context": context, "qas": list(questions)}


def write_squad(file: Path, *articles: Sequence[Mapping[str, Any]]) -> Path:
    """Write articles, each a list of paragraphs."""
    data = [{"title": "", "paragraphs": list(paragraphs)} for paragraphs in articles]
    file.write_text(json.dumps({"version": "1.1", "data": data}), "utf-8")
    return file


def write_towns(file: Path) -> Path:
    """Write eight articles of one paragraph and one question each."""
    articles = [
        [
            paragraph(
                f"The mayor of {town} collects {thing} at home.",
                asked(f"What does the mayor of {town} collect?", f"{town} collects", id=town),
                asked("Impossible?"),
            ),
            paragraph(" "),
        ]
        for town, thing in zip(TOWNS, THINGS, strict=True)
    ]
    return write_squad(file, *articles)


def write_excerpts(
    folder: Path, documents: Mapping[str, str], questions: Mapping[str, tuple[str, Sequence[str]]]
) -> Path:
    """Write documents, and questions with a document's name and excerpts from it."""
    folder.mkdir(exist_ok=True)
    for name, text in documents.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    with open(folder / "questions_df.csv", "w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["question", "references", "corpus_id"])
        for question, (name, excerpts) in questions.items():
            starts = [documents[name].index(excerpt) for excerpt in excerpts]
            references = [
                {"content": excerpt, "start_index": start, "end_index": start + len(excerpt)}
                for start, excerpt in zip(starts, excerpts, strict=True)
            ]
            rows.writerow([question, json.dumps(references), name])
    return folder
