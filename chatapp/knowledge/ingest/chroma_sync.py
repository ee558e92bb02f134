"""Synchronises Chroma's collections from SQL, the source of truth. Only document workers write to
Chroma, only through this module, and of all hosts one at a time: the one that holds the lease.

Each change of a base's vectors increments its `changed`; `indexed` is set to that value when its
collection holds exactly these vectors. A doubtful collection is rebuilt beside the old one and
replaces it in one SQL statement.

Chroma seldom reports damage to its files: a lost folder is an empty store, and with a lost graph a
query finds nothing although the count is right. So a collection counts as intact when it holds as
many vectors as SQL and queries find a sample of them.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from chatapp.knowledge.chroma import (
    LIST_SECONDS,
    CollectionMissing,
    RequestRejected,
    VectorEntry,
    VectorIndex,
)
from chatapp.knowledge.ingest.jobs import SEARCHABLE, write_with_retry
from chatapp.knowledge.json_client import TimedOut, Unreachable
from chatapp.knowledge.search.dense import NEEDS_REBUILD
from chatapp.storage.database import Database
from chatapp.storage.leases import NamedLease, NoLease
from chatapp.storage.models import Chunk, File, KnowledgeBase, Vector

log = logging.getLogger("chatapp.knowledge")

BATCH_VECTORS = 100  # vectors per call; more would block the server's other clients
NEIGHBOURS = 10  # results in which a vector must find itself: equal texts may rank before it
EQUAL_SIMILARITY = 0.999
UNREACHABLE_SECONDS = 3  # pause after a refused connection
LEASE = "chroma"
LEASE_SECONDS = 3 * LIST_SECONDS  # renewed in time also between two of the longest calls
OTHER_WRITER_SECONDS = 5  # pause while another worker writes
RETRY_SECONDS = 30  # pause after a time-out, or after a collection could not be built


@dataclass(frozen=True, slots=True)
class _Base:
    number: int
    id: str
    changed: int
    indexed: int
    collection: str | None
    fingerprint: str

    @property
    def prefix(self) -> str:
        return f"kb_{self.id.replace('-', '')}_"


@dataclass(frozen=True, slots=True)
class _Sample:
    """How many vectors a collection should hold, and the chunk ids of a few of them."""

    count: int
    keys: frozenset[int]


class ChromaSync:
    """Synchronises one collection after another."""

    def __init__(self, database: Database, index: VectorIndex, host: str = "") -> None:
        self._database = database
        self._index = index
        self._lease = NamedLease(database, LEASE, host, LEASE_SECONDS)
        self._checked = ""
        self._wait_until = 0.0

    def has_work(self) -> bool:
        """Return whether a base has changed, or the server is new and unchecked."""
        return time.monotonic() >= self._wait_until and (
            self._unchecked() is not None or self._next() is not None
        )

    def run_step(self) -> bool:
        """Check all collections of a new server, or synchronise one base; return whether it did."""
        if not self.has_work():
            self._lease.release()
            return False
        try:
            self._lease.keep()
            if (url := self._unchecked()) is not None:
                self._check_all()
                self._checked = url
                return True
            base = self._next()
            return base is not None and self._synchronise(base)
        except NoLease:
            self._wait_until = time.monotonic() + OTHER_WRITER_SECONDS
        except Unreachable as fault:
            log.warning("Chroma is unreachable, synchronisation is paused: %s", fault)
            self._back_off(fault)
        except RequestRejected as fault:
            log.warning("Chroma rejected a request, synchronisation is paused: %s", fault)
            self._lease.release()
            self._wait_until = time.monotonic() + 10 * RETRY_SECONDS
        return False

    def drop(self, base_id: str) -> None:
        """Delete all collections of a base; raise Unreachable, also during a pause."""
        if time.monotonic() < self._wait_until:
            raise Unreachable("paused after a failure")
        try:
            self._lease.keep()
            for name in self._index.names(_Base(0, base_id, 0, 0, None, "").prefix):
                self._index.drop(name)
        except NoLease as fault:
            self._wait_until = time.monotonic() + OTHER_WRITER_SECONDS
            raise Unreachable("another worker writes") from fault
        except (Unreachable, RequestRejected) as fault:
            self._back_off(fault)
            raise Unreachable(str(fault)) from fault

    def close(self) -> None:
        """Let another worker write."""
        self._lease.release()

    def _back_off(self, fault: Exception) -> None:
        """Pause: longer after a time-out than after a refused connection. Others may reach it."""
        self._lease.release()
        self._wait_until = time.monotonic() + (
            UNREACHABLE_SECONDS if not isinstance(fault, TimedOut) else RETRY_SECONDS
        )

    def _unchecked(self) -> str | None:
        """Return the server's URL if unchecked: a restarted server may have lost its data."""
        url = self._index.url
        return url if url is not None and url != self._checked else None

    def _next(self) -> _Base | None:
        behind = KnowledgeBase.indexed != KnowledgeBase.changed
        return next(iter(self._bases(_BASES.where(behind).limit(1))), None)

    def _bases(self, query: Select[KnowledgeBase]) -> list[_Base]:
        def read(t: Session) -> list[_Base]:
            return [
                _Base(
                    base.number,
                    base.id,
                    base.changed,
                    base.indexed,
                    base.collection,
                    (base.fingerprint or {})["id"],
                )
                for base in t.scalars(query)
            ]

        return self._database.read(read)

    def _check_all(self) -> None:
        for base in self._bases(
            _BASES.where(
                KnowledgeBase.collection.is_not(None), KnowledgeBase.indexed != NEEDS_REBUILD
            )
        ):
            self._lease.keep()
            if base.indexed == base.changed and not self._is_intact(
                base, base.collection or "", self._sample(base)
            ):
                log.warning(
                    "Chroma's collection of base %d differs from SQL; rebuilding it",
                    base.number,
                )
                self._mark(base, NEEDS_REBUILD)

    def _synchronise(self, base: _Base) -> bool:
        """Bring a base's collection up to date; build a new one where it is missing or doubtful."""
        name = base.collection
        if name is None or base.indexed == NEEDS_REBUILD:
            name = self._new_name(base)
            self._index.create(name)
        try:
            intact = self._is_intact(base, name, self._fill(base, name))
        except CollectionMissing:
            intact = False
        except RequestRejected:
            self._drop_new(base, name)
            raise
        if intact:
            if self._mark(base, base.changed, name):
                for old in set(self._index.names(base.prefix)) - {name}:
                    self._index.drop(old)
            return True
        log.warning(
            "Chroma's collection of base %d is incomplete; rebuilding it",
            base.number,
        )
        self._drop_new(base, name)
        self._mark(base, NEEDS_REBUILD)
        if base.indexed == NEEDS_REBUILD:  # a new collection was wrong too
            self._wait_until = time.monotonic() + RETRY_SECONDS
        return False

    def _drop_new(self, base: _Base, name: str) -> None:
        """Delete a collection that could not be built, unless another worker already uses it."""
        if name not in self._database.read(
            lambda t: t.scalars(_COLLECTION.where(KnowledgeBase.number == base.number)).all()
        ):
            self._index.drop(name)

    def _new_name(self, base: _Base) -> str:
        taken = set(self._index.names(base.prefix))
        return next(
            name
            for n in range(1, len(taken) + 2)
            if (name := f"{base.prefix}{base.fingerprint[:8]}_{n}") not in taken
        )

    def _fill(self, base: _Base, name: str) -> "_Sample":
        """Add missing vectors, delete surplus ones; return the expected content.

        Chroma is listed before SQL, so vectors that another worker adds in between are in SQL's
        list and stay.
        """
        held = self._index.chunk_ids(name)
        wanted = self._wanted(base)
        for extra in _batches(sorted(held - wanted.keys())):
            self._lease.keep()
            self._index.delete(name, extra)
        for missing in _batches(sorted(wanted.keys() - held)):
            self._lease.keep()
            self._push(name, {key: wanted[key] for key in missing}, base.fingerprint)
        return _Sample(
            len(wanted), frozenset((min(wanted), max(wanted))) if wanted else frozenset()
        )

    def _push(self, name: str, md5s: Mapping[int, str], fingerprint: str) -> None:
        vectors = self._database.read(lambda t: _vectors(t, list(md5s), fingerprint))
        entries = [VectorEntry(key, md5s[key], vector) for key, vector in vectors.items()]
        if entries:
            self._index.upsert(name, entries)

    def _wanted(self, base: _Base) -> dict[int, str]:
        """Return the chunks that have a vector, each with its file's md5."""
        query = _of_base(base, select(Vector.chunk_id, File.md5))
        return self._database.read(lambda t: {row.chunk_id: row.md5 for row in t.execute(query)})

    def _sample(self, base: _Base) -> "_Sample":
        count, low, high = func.count(), func.min(Vector.chunk_id), func.max(Vector.chunk_id)
        row = self._database.read(
            lambda t: t.execute(_of_base(base, select(count, low, high).select_from(Vector))).one()
        )
        return _Sample(row[0], frozenset(row[1:]) - {None})

    def _is_intact(self, base: _Base, name: str, sample: "_Sample") -> bool:
        """Return whether the count is right and queries find the first and last chunk."""
        try:
            if self._index.count(name) != sample.count:
                return False
            vectors = self._database.read(
                lambda t: _vectors(t, sorted(sample.keys), base.fingerprint)
            )
            return all(
                _finds_itself(self._index.query(name, vector, NEIGHBOURS), key)
                for key, vector in vectors.items()
            )
        except CollectionMissing:
            return False

    def _mark(self, base: _Base, indexed: int, collection: str | None = None) -> bool:
        """Store `indexed`, unless another worker or a search has changed it meanwhile."""
        values: dict[str, object] = {"indexed": indexed} | (
            {"collection": collection} if collection else {}
        )
        same = [KnowledgeBase.number == base.number, KnowledgeBase.indexed == base.indexed]
        same.append(
            KnowledgeBase.collection == base.collection
            if base.collection
            else KnowledgeBase.collection.is_(None)
        )
        changed = (
            update(KnowledgeBase).where(*same).values(**values).returning(KnowledgeBase.number)
        )
        return write_with_retry(self._database, lambda t: bool(t.scalars(changed).all()))


_COLLECTION = select(KnowledgeBase.collection)
# Bases that have, or had, vectors and still have an owner.
_BASES = (
    select(KnowledgeBase)
    .where(
        KnowledgeBase.changed > 0,
        KnowledgeBase.fingerprint.is_not(None),
        KnowledgeBase.user_id.is_not(None),
    )
    .order_by(func.coalesce(KnowledgeBase.indexed, 0), KnowledgeBase.number)
)


def _of_base(base: _Base, query: Any) -> Any:
    """Restrict a query to the vectors of a base that should be in Chroma."""
    return (
        query.join(Chunk, Chunk.id == Vector.chunk_id)
        .join(File, File.id == Chunk.file_id)
        .where(
            File.knowledge_base_id == base.id,
            Vector.fingerprint == base.fingerprint,
            File.status.in_(SEARCHABLE),
        )
    )


def _finds_itself(scores: Mapping[int, float], key: int) -> bool:
    """Return whether a chunk is among its own neighbours, or all of them are equal texts."""
    return key in scores or (len(scores) == NEIGHBOURS and min(scores.values()) > EQUAL_SIMILARITY)


def _batches(keys: Sequence[int]) -> list[list[int]]:
    return [
        list(keys[first : first + BATCH_VECTORS]) for first in range(0, len(keys), BATCH_VECTORS)
    ]


def _vectors(t: Session, keys: Sequence[int], fingerprint: str) -> dict[int, bytes]:
    query = select(Vector.chunk_id, Vector.embedding).where(
        Vector.chunk_id.in_(keys), Vector.fingerprint == fingerprint
    )
    return {row.chunk_id: row.embedding for row in t.execute(query)}
