"""A shelf: a user with one knowledge base, its database, folder and index, without the web
around it."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import text

from chatapp.core.prompt import Passage
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.formats.document import Document, Unreadable
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.parse import parse
from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.ingest.sandbox import error_for
from chatapp.knowledge.search.lexical import create_index, index_for
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Base, User


def parse_here(path: Path, name: str, heartbeat: Callable[[], None], charset: str = "") -> Document:
    """Parse in this process instead of a child."""
    heartbeat()
    try:
        return parse(path, name, 5000, charset)
    except Unreadable as fault:
        raise error_for(fault.reason, fault.params, name) from fault


@dataclass
class Shelf:
    """A user with one base, and the worker's steps as methods."""

    settings: Settings
    database: Database
    knowledge: Knowledge
    user: str
    base: str
    embedder: Embedder | None = None

    def ingest(
        self,
        parser: Any = parse_here,
        should_stop: Callable[[], bool] = lambda: False,
        why_not: Callable[[], str | None] = lambda: "recognition_off",
    ) -> Ingest:
        return Ingest(
            self.database,
            index_for(self.database.sqlite),
            self.knowledge.originals,
            parser,
            should_stop,
            self.embedder,
            why_not,
        )

    def put(self, name: str, content: bytes | str, base: str | None = None) -> dict[str, Any]:
        data = content.encode() if isinstance(content, str) else content
        return self.knowledge.add_file(self.user, base or self.base, name, BytesIO(data))

    def add(self, name: str, content: bytes | str, base: str | None = None) -> dict[str, Any]:
        """Add a file and process everything that waits."""
        row = self.put(name, content, base)
        self.work()
        return self.knowledge.file(self.user, base or self.base, row["id"])

    def work(self, parser: Any = parse_here) -> list[str]:
        ingest = self.ingest(parser)
        embedding = Embedding(self.database, self.embedder, lambda: False)
        done = []
        while job := ingest.claim("a worker"):
            done.append(embedding.run(job) if job.is_read else ingest.read(job))
        return done

    def search(
        self, query: str, k: int = 5, md5s: list[str] | None = None, bases: list[str] | None = None
    ) -> list[Passage]:
        return self.knowledge.search(
            self.knowledge.select_bases(self.user, bases or [self.base]), query, k, md5s
        )

    def count(self, table: str) -> int:
        return int(
            self.database.read(lambda t: t.scalar(text(f"SELECT count(*) FROM {table}"))) or 0
        )

    def leftovers(self) -> dict[str, int]:
        """Return the non-empty tables and folders of those that files use."""
        tables = ["files", "file_texts", "chunks", "lexical", "terms"]
        counts = {table: self.count(table) for table in tables}
        counts["totals"] = int(
            self.database.read(
                lambda t: t.scalar(text("SELECT sum(chunks + tokens) FROM knowledge_bases"))
            )
            or 0
        )
        folder = self.settings.home / "originals"
        counts["originals"] = (
            sum(path.is_file() for path in folder.rglob("*")) if folder.exists() else 0
        )
        return {name: count for name, count in counts.items() if count}


def make_shelf(settings: Settings) -> Shelf:
    database = open_database(settings.sql_url)
    Base.metadata.create_all(database.engine)
    database.write(lambda t: create_index(t.connection()))
    knowledge = Knowledge(database, settings)
    user = add_user(database, "reader")
    return Shelf(settings, database, knowledge, user, knowledge.create(user, "Handbook")["id"])


def add_user(database: Database, name: str) -> str:
    def add(t: Any) -> str:
        user = User(name=name)
        t.add(user)
        t.flush()
        return str(user.id)

    return database.write(add)
