"""A lexical index with two bases and nothing else."""

from typing import Any

from chatapp.knowledge.search import lexical
from chatapp.knowledge.search.bm25 import Scope, search, tokens_of
from chatapp.storage.database import open_database
from chatapp.storage.models import Base, KnowledgeBase


class Index:
    """An index with two bases and nothing else."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url)
        Base.metadata.create_all(self.database.engine)
        for _ in range(2):  # repeatable
            self.database.write(lambda t: lexical.create_index(t.connection()))
        self.index = lexical.index_for(self.database.sqlite)
        self.bases = [self.database.write(_add_base) for _ in range(2)]
        self.last = 0

    def add(self, *texts: str, base: int = 0) -> list[int]:
        rows = [(self.last + n, tokens_of("", "", text)) for n, text in enumerate(texts, 1)]
        self.last += len(rows)
        self.database.write(lambda t: self.index.add(t, self.bases[base], rows))
        return [key for key, _ in rows]

    def remove(self, *keys: int, base: int = 0) -> None:
        self.database.write(lambda t: self.index.remove(t, self.bases[base], keys))

    def find(self, *tokens: str, bases: tuple[int, ...] = (0,)) -> list[tuple[int, float]]:
        scope = Scope(tuple(self.bases[base] for base in bases))
        found = self.database.read(lambda t: search(self.index, t, scope, tokens))
        return [(match.chunk_id, round(match.score, 6)) for match in found.matches]

    def totals(self, base: int = 0) -> tuple[int, int]:
        row = self.database.read(lambda t: t.get_one(KnowledgeBase, self.bases[base]))
        return row.chunks, row.tokens


def _add_base(t: Any) -> int:
    base = KnowledgeBase(name="base")
    t.add(base)
    t.flush()
    return base.number
