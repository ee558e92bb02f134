"""Questions that a user's own documents answer: headings of the latest files, put as questions.

No model writes them. A heading is only suggested if the keyword search finds a passage below it
that fits the question, by the same measure as answers (core/fitting.py).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.core.fitting import fits
from chatapp.core.text import HEADING_JOINT, is_wide
from chatapp.i18n import say
from chatapp.knowledge.access import CANDIDATES, READABLE, readable_base
from chatapp.knowledge.ingest.jobs import SEARCHABLE
from chatapp.knowledge.search.lexical import index_for
from chatapp.knowledge.search.retrieve import retrieve
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase

LATEST_FILES = 8
READ_CHUNKS = 40  # of each file, from its beginning
MAX_TRIED = 12  # headings that are searched for
FOUND = 3  # passages in which the heading's own must be
LEAST_TEXT = 40  # characters below a heading
SHORTEST = {False: 4, True: 2}  # characters of a heading, by whether it is Chinese
LONGEST = {False: 60, True: 28}

_NUMBERING = re.compile(
    r"^(?:第[一二三四五六七八九十百\d]+[章节条部分篇]+|[一二三四五六七八九十]+、|"
    r"[(（][一二三四五六七八九十\d]+[)）]|\d{1,2}(?:(?:\.\d{1,2})+[.)]?(?=\s)|[.)、]|(?=\s+(?-i:[A-Z])))|"
    r"(?:chapter|section|part|appendix)\s+[\divxlc]+\b)[\s:：.、-]*",
    re.IGNORECASE,
)
# Signs of a path, an address or code.
_NOT_WORDS = re.compile(r"[/\\<>{}=_|`@#*\[\]]|\w\.\w{2,5}\b|\(\)")
_GENERAL = re.compile(
    "introduction|overview|summary|abstract|(?:table of )?contents|preface|foreword|conclusions?|"
    "background|appendix|references|bibliography|index|acknowledgements|changelog|notes?|general|"
    "misc|miscellaneous|others?|see also|further reading|examples?|"
    "简介|介绍|概述|概览|综述|摘要|目录|前言|序言|引言|序|背景|总结|小结|结论|结语|附录|参考文献|"
    "致谢|索引|说明|备注|注意|其他|其它|总则|附则|示例|例子",
    re.IGNORECASE,
)
_UNNAMED = re.compile(r"(?:sheet|slide|page|table|工作表|幻灯片|第)\s*\d*页?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question, and the file that answers it."""

    question: str
    knowledge_base_id: str
    file_id: str
    name: str


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading of a file in the base with this number."""

    text: str
    path: str
    number: int
    base_id: str
    file_id: str
    name: str


class Suggestions:
    """Questions about the documents of each user."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = index_for(database.sqlite)

    def about(
        self, user_id: str, language: str, most: int, base_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Return at most `most` questions about the latest files, of one base or of all that the
        user may read.

        Raises NotFound.
        """
        return self._database.read(
            lambda t: [asdict(one) for one in self._answered(t, user_id, language, most, base_id)]
        )

    def _answered(
        self, t: Session, user_id: str, language: str, most: int, base_id: str | None
    ) -> list[Suggestion]:
        if base_id is not None:
            readable_base(t, user_id, base_id)
        chinese = language.startswith("zh")
        headings = sorted(
            _one_of_each_in_turn([_headings(t, file) for file in _latest(t, user_id, base_id)]),
            key=lambda heading: is_wide(heading.text) != chinese,
        )
        found: list[Suggestion] = []
        for heading in headings[:MAX_TRIED]:
            question = _question(heading.text, language)
            if self._answers(t, heading, question):
                found.append(Suggestion(question, heading.base_id, heading.file_id, heading.name))
            if len(found) == most:
                break
        return found

    def _answers(self, t: Session, heading: _Heading, question: str) -> bool:
        passages = retrieve(t, self._index, [heading.number], question, FOUND)
        return fits(question, passages) and any(
            passage.file_id == heading.file_id and passage.heading.startswith(heading.path)
            for passage in passages
        )


def _latest(t: Session, user_id: str, base_id: str | None) -> Sequence[Any]:
    """Return the latest files that the user may search, without the bundled ones."""
    query = (
        select(File.id, File.name, KnowledgeBase.id.label("base_id"), KnowledgeBase.number)
        .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
        .where(CANDIDATES, READABLE, KnowledgeBase.bundled.is_(None))
        .where(File.status.in_(SEARCHABLE), File.replaces.is_(None), File.chunks > 0)
        .order_by(File.created_at.desc(), File.id)
        .limit(LATEST_FILES)
    )
    if base_id is not None:
        query = query.where(KnowledgeBase.id == base_id)
    return t.execute(query, {"user_id": user_id}).all()


def _headings(t: Session, file: Any) -> list[_Heading]:
    """Return the headings of a file that name a subject, with text below them."""
    chunks = (
        select(Chunk.heading, Chunk.text)
        .where(Chunk.file_id == file.id)
        .order_by(Chunk.ordinal)
        .limit(READ_CHUNKS)
    )
    found: dict[str, _Heading] = {}
    for path, text in t.execute(chunks):
        title = subject(path.rpartition(HEADING_JOINT)[2])
        if title and len(text) - len(title) >= LEAST_TEXT:
            key = title.casefold()
            found.setdefault(
                key, _Heading(title, path, file.number, file.base_id, file.id, file.name)
            )
    return list(found.values())


def _one_of_each_in_turn(files: Sequence[Sequence[_Heading]]) -> Iterator[_Heading]:
    """Yield the first heading of each file, then the second ones; equal ones once."""
    seen: set[str] = set()
    for row in zip_longest(*files):
        for heading in row:
            if heading is not None and heading.text.casefold() not in seen:
                seen.add(heading.text.casefold())
                yield heading


def subject(heading: str) -> str:
    """Return a heading without its number; empty where it names no subject to ask about."""
    title = _NUMBERING.sub("", " ".join(heading.split())).strip(" .:：。-–—")
    wide = is_wide(title)
    if not SHORTEST[wide] <= len(title) <= LONGEST[wide]:
        return ""
    if _NOT_WORDS.search(title) or _UNNAMED.fullmatch(title) or _GENERAL.fullmatch(title):
        return ""
    letters = sum(map(str.isalpha, title))
    return title if letters * 2 > len(title) else ""


def _question(title: str, language: str) -> str:
    """Return a heading that is a question as it is, else the question about it."""
    if title.endswith(("?", "？")):
        return title
    return say(language, "server.suggestion", {"subject": title})
