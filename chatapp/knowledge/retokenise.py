"""How bases move to the current version of the tokenizer (core/text.py) while they are searched.

A base's chunks are tokenised again beside what is there, in short transactions; when every chunk
is, the base switches in one transaction and the old rows are deleted. Questions are tokenised as
each base is. A killed worker's work is kept: the next one does what is missing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session

from chatapp.core.text import TOKENIZER
from chatapp.knowledge.ingest.jobs import BATCH_CHUNKS, write_with_retry
from chatapp.knowledge.search.bm25 import VERSIONS, LexicalIndex, change_tokens, tokens_of
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase

STEP_BATCHES = 20  # in one step of the worker, between which it reads files
# Before old rows are deleted: a search that began before the switch still reads them.
GRACE_SECONDS = 10

# A base without an owner that is not bundled is being deleted.
_IS_OUTDATED = (
    KnowledgeBase.tokenizer < TOKENIZER,
    or_(KnowledgeBase.user_id.is_not(None), KnowledgeBase.bundled.is_not(None)),
)
_IDS: Select[int] = (
    select(Chunk.id)
    .join(File, File.id == Chunk.file_id)
    .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    .order_by(Chunk.id)
)


def lock_tokenizer(t: Session, number: int) -> int:
    """Return a base's version of the tokenizer, which stays until the transaction ends.

    Lock it before chunks are added, so that their ids become visible in order.
    """
    version = select(KnowledgeBase.tokenizer).where(KnowledgeBase.number == number)
    return t.scalars(version.with_for_update()).one()


def has_outdated(t: Session) -> bool:
    """Return whether a base must be tokenised again."""
    return bool(t.scalar(select(exists().where(*_IS_OUTDATED))))


class Retokeniser:
    """Moves all bases to the current version; `should_stop` returns whether this process must
    end."""

    def __init__(
        self,
        database: Database,
        index: LexicalIndex,
        should_stop: Callable[[], bool] = lambda: False,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._database = database
        self._index = index
        self._should_stop = should_stop
        self._grace_seconds = grace_seconds
        self._reached: dict[int, int] = {}  # by base: the last chunk that is done
        self._old_since: float | None = None

    def run_step(self) -> bool:
        """Tokenise some chunks or delete some old rows; return whether there were any."""
        outdated = select(KnowledgeBase.number).where(*_IS_OUTDATED).order_by(KnowledgeBase.number)
        number = self._database.read(lambda t: t.scalars(outdated.limit(1)).first())
        if number is None:
            return self._delete_old()
        after = self._reached.get(number, 0)
        of_base = _IDS.where(KnowledgeBase.number == number, Chunk.id > after)
        step = of_base.limit(STEP_BATCHES * BATCH_CHUNKS)
        ids = self._database.read(lambda t: t.scalars(step).all())
        for first in range(0, len(ids), BATCH_CHUNKS):
            if self._should_stop():
                return True
            batch = ids[first : first + BATCH_CHUNKS]
            self._add(number, batch)
            self._reached[number] = batch[-1]
        if not ids:
            write_with_retry(self._database, lambda t: _switch(t, number, after))
        return True

    def _add(self, number: int, ids: Sequence[int]) -> None:
        """Tokenise those of these chunks that are not yet."""
        tokens = self._database.read(lambda t: self._texts(t, ids))
        if not tokens:
            return
        former = self._database.read(lambda t: lock_tokenizer(t, number))
        made = {one: tokens_of(*texts) for one, texts in tokens.items()}
        longer = {
            one: len(made[one]) - len(tokens_of(*texts, former)) for one, texts in tokens.items()
        }

        def add(t: Session) -> None:
            if lock_tokenizer(t, number) < TOKENIZER:
                left = self._texts(t, list(made))
                self._index.add(t, number, [(one, made[one]) for one in left])
                change_tokens(t, number, sum(longer[one] for one in left))

        write_with_retry(self._database, add)

    def _texts(self, t: Session, ids: Sequence[int]) -> Mapping[int, tuple[str, str, str]]:
        """Return title, heading and body of the chunks that are not tokenised yet."""
        missing = set(ids) - self._index.held(t, ids, TOKENIZER)
        query = select(Chunk.id, File.name, Chunk.heading, Chunk.text).join(
            File, File.id == Chunk.file_id
        )
        rows = t.execute(query.where(Chunk.id.in_(missing)).order_by(Chunk.id))
        return {row.id: (Path(row.name).stem, row.heading, row.text) for row in rows}

    def _delete_old(self) -> bool:
        """Delete some rows that no base is searched by."""
        old = self._database.read(self._old_rows)
        if not any(old.values()):
            self._old_since = None
            return False
        self._old_since = self._old_since or time.monotonic()
        if time.monotonic() - self._old_since < self._grace_seconds:
            return False
        for number, ids in old.items():
            write_with_retry(self._database, lambda t, n=number, i=ids: self._remove(t, n, i))  # type: ignore[misc]
        return True

    def _old_rows(self, t: Session) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for version in VERSIONS[:-1]:
            ids = self._index.any_of(t, version, BATCH_CHUNKS)
            rows = _IDS.with_only_columns(KnowledgeBase.number, Chunk.id).where(
                Chunk.id.in_(ids), KnowledgeBase.tokenizer > version
            )
            for row in t.execute(rows) if ids else ():
                found.setdefault(row.number, []).append(row.id)
        return found

    def _remove(self, t: Session, number: int, ids: Sequence[int]) -> None:
        version = lock_tokenizer(t, number)
        self._index.remove(t, number, ids, [one for one in VERSIONS if one < version])


def _switch(t: Session, number: int, reached: int) -> None:
    """Search a base by the current version, unless chunks have been added behind the last one."""
    base = t.get(KnowledgeBase, number, with_for_update=True)
    added = _IDS.where(KnowledgeBase.number == number, Chunk.id > reached).limit(1)
    if base is not None and t.scalars(added).first() is None:
        # The totals stay: they count the tokens of each chunk's latest version already.
        base.tokenizer = TOKENIZER
