"""A shelf with vectors: an embedding service over HTTP, a real Chroma, and the worker's steps
for both."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.reindex import delete_all_stale_vectors, finish_reindex, queue_missing
from chatapp.settings import Settings
from chatapp.storage.models import KnowledgeBase, Vector
from tests.support.chroma import Chroma
from tests.support.shelf import Shelf, make_shelf, parse_here


@dataclass
class Dense(Shelf):
    """A user with one base whose chunks have vectors."""

    index: VectorIndex = dataclasses.field(kw_only=True)
    sync: ChromaSync = dataclasses.field(kw_only=True)
    woken: list[bool] = dataclasses.field(default_factory=list)

    def work(
        self, parser: Any = parse_here, should_stop: Callable[[], bool] = lambda: False
    ) -> list[str]:
        """Do the worker's steps until nothing is left."""
        ingest = self.ingest(parser, should_stop)
        embedding = Embedding(self.database, self.embedder, should_stop)
        done = []
        while job := ingest.claim("a worker"):
            done.append(embedding.run(job) if job.is_read else ingest.read(job))
            while finish_reindex(self.database):
                pass
            if should_stop():
                return done
        while finish_reindex(self.database):
            pass
        while self.sync.has_work() and self.sync.run_step():
            pass
        return done

    def queue_missing(self) -> None:
        """Run the steps with which a worker starts."""
        if (embedder := self.embedder) is not None:
            self.database.write(lambda t: queue_missing(t, embedder))
        delete_all_stale_vectors(self.database)

    def row(self) -> KnowledgeBase:
        return self.database.read(
            lambda t: t.scalars(select(KnowledgeBase).where(KnowledgeBase.id == self.base)).one()
        )

    def in_chroma(self) -> set[int]:
        return self.index.chunk_ids(self.row().collection or "")

    def in_sql(self) -> set[int]:
        return set(self.database.read(lambda t: t.scalars(select(Vector.chunk_id)).all()))

    def is_exact(self) -> bool:
        """Return whether SQL and Chroma hold exactly one vector for each chunk."""
        chunks = set(self.database.read(lambda t: t.scalars(text("SELECT id FROM chunks")).all()))
        return (
            chunks == self.in_sql() == self.in_chroma() and self.row().indexed == self.row().changed
        )

    def reopened(self, **settings: Any) -> "Dense":
        """Return the same home with other settings, as after a restart."""
        changed = dataclasses.replace(self.settings, **settings)
        embedder = configured_embedder(changed)
        knowledge = Knowledge(self.database, changed, self.index, embedder)
        return dataclasses.replace(self, settings=changed, knowledge=knowledge, embedder=embedder)


def make_dense(settings: Settings, chroma: Chroma) -> Dense:
    """Make a shelf whose vectors are stored in this Chroma."""
    plain = make_shelf(settings)
    index, embedder = VectorIndex(lambda: chroma.url or None), configured_embedder(settings)
    knowledge = Knowledge(plain.database, settings, index, embedder)
    sync = ChromaSync(plain.database, index)
    return Dense(
        settings,
        plain.database,
        knowledge,
        plain.user,
        plain.base,
        index=index,
        sync=sync,
        embedder=embedder,
    )
