"""Sets in SQuAD's format: articles of paragraphs, and questions whose answer is in one of them.

Two parallel sets can be crossed: the paragraphs of one, the questions of the other, matched by
question id.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.core.text import is_wide, normalise


class InvalidSet(Exception):
    """Why a file or folder is no set of questions: format, parallel, or excerpts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its reference answers, and the file that contains one of them.

    Without reference answers, an answer is right if it cites that file.
    """

    text: str
    answers: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class Article:
    """Paragraphs by file name, and the questions about them."""

    files: dict[str, str]
    questions: list[Question]


def load(file: Path, questions_of: Path | None = None) -> list[Article]:
    """Read a set; with `questions_of`, ask the questions of that parallel set instead.

    Questions without an answer are left out. Raises InvalidSet.
    """
    try:
        other = _questions_by_id(questions_of) if questions_of is not None else None
        articles = _articles(json.loads(file.read_text("utf-8"))["data"], other)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise InvalidSet("format") from fault
    if not any(article.questions for article in articles):
        raise InvalidSet("parallel" if questions_of is not None else "format")
    return articles


def _questions_by_id(file: Path) -> dict[str, str]:
    return {
        str(asked["id"]): str(asked["question"])
        for entry in json.loads(file.read_text("utf-8"))["data"]
        for paragraph in entry["paragraphs"]
        for asked in paragraph["qas"]
        if "id" in asked
    }


def _articles(data: list[Any], other: Mapping[str, str] | None) -> list[Article]:
    articles: list[Article] = []
    known: dict[str, tuple[Article, str]] = {}  # equal paragraphs are one file
    for entry in data:
        article = Article({}, [])
        articles.append(article)
        for paragraph in entry["paragraphs"]:
            text = paragraph["context"]
            if not text.strip():
                continue
            if text not in known:
                name = f"{len(known) + 1:05d}.txt"
                article.files[name] = text
                known[text] = article, name
            holder, name = known[text]
            for asked in paragraph["qas"]:
                if question := _question(asked, text, name, other):
                    holder.questions.append(question)
    return articles


def _question(
    asked: Mapping[str, Any], context: str, file: str, other: Mapping[str, str] | None
) -> Question | None:
    answers = tuple(normalise(given["text"]) for given in asked.get("answers", ()))
    if not answers or asked.get("is_impossible"):
        return None
    if other is not None:
        crossed = other.get(str(asked.get("id", "")))
        return Question(crossed, (), file) if crossed is not None else None
    text = asked["question"]
    # An answer in another language than the text is never in it.
    return Question(text, answers if is_wide(text) == is_wide(context) else (), file)
