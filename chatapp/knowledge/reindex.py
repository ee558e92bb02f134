"""Which vectors a base should have, and how it moves from one embedder to another.

A base's vectors have one fingerprint; each file records under which one its chunks are embedded
(`embedded`). Where another embedder is configured, new files get no vectors until the base is
re-indexed: then all chunks get new vectors beside the old ones, and when every file has them the
base switches in one transaction. Configuring the old embedder again before that discards them.

A base of a former built-in embedder moves to the present one by itself, and at once: the old
vectors are of no use, since questions can no longer be embedded with that model. Keyword search
answers, joined by the new vectors as they come.

A fingerprint's id is the embedder's, followed from the second attempt on by a dash and the
attempt's number, so that re-indexing with the same embedder makes separate vectors too.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.ingest.jobs import NO_LEASE, RECOGNISING, SEARCHABLE, write_with_retry
from chatapp.knowledge.search.dense import NEEDS_REBUILD
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase, Vector

BATCH_VECTORS = 500  # old vectors deleted in one transaction


def wanted_fingerprint(base: KnowledgeBase) -> str | None:
    """Return the fingerprint id that a base's files should have, None before the first
    embedding."""
    wanted = base.target or base.fingerprint
    return str(wanted["id"]) if wanted else None


def is_made_by(fingerprint: dict[str, Any] | None, embedder_id: str) -> bool:
    """Return whether vectors were made by an embedder, in any attempt."""
    return fingerprint is not None and fingerprint["id"].partition("-")[0] == embedder_id


def target_fingerprint(t: Session, number: int, embedder: Embedder) -> str | None:
    """Return the fingerprint id to embed with, None where this embedder does not match the base.

    The first embedder of a base decides its fingerprint.
    """
    base = t.get(KnowledgeBase, number, with_for_update=True)
    if base is None or base.bundled is not None:
        return None
    if base.fingerprint is None and base.target is None:
        base.fingerprint = embedder.fingerprint.to_json()
    return (
        wanted_fingerprint(base)
        if is_made_by(base.target or base.fingerprint, embedder.fingerprint.id)
        else None
    )


def start_reindex(t: Session, base: KnowledgeBase, embedder: Embedder) -> None:
    """Queue all files of a base to be embedded again, by this embedder."""
    before = [
        made["id"]
        for made in (base.fingerprint, base.target)
        if is_made_by(made, embedder.fingerprint.id) and made
    ]
    attempt = max((int(made.partition("-")[2] or 1) for made in before), default=0) + 1
    fingerprint = embedder.fingerprint.to_json()
    base.target = {
        **fingerprint,
        "id": f"{fingerprint['id']}-{attempt}" if attempt > 1 else fingerprint["id"],
    }
    _queue(t, [base.id], None)


def queue_missing(t: Session, embedder: Embedder) -> None:
    """Queue files without vectors of this embedder; drop an unfinished switch to another one.

    Bases with vectors of an embedder that this one replaces move to it.
    """
    for base in t.scalars(
        select(KnowledgeBase).where(
            KnowledgeBase.bundled.is_(None), KnowledgeBase.user_id.is_not(None)
        )
    ):
        _move(base, embedder)
        if base.target is not None and not is_made_by(base.target, embedder.fingerprint.id):
            base.target = (
                None if is_made_by(base.fingerprint, embedder.fingerprint.id) else base.target
            )
        wanted = base.target or base.fingerprint
        if wanted is None or is_made_by(wanted, embedder.fingerprint.id):
            _queue(t, [base.id], wanted_fingerprint(base) or "")


def _move(base: KnowledgeBase, embedder: Embedder) -> None:
    """Give a base the fingerprint of an embedder that replaces its own."""
    if any(is_made_by(base.target, former) for former in embedder.replaces):
        base.target = None
    if any(is_made_by(base.fingerprint, former) for former in embedder.replaces):
        base.fingerprint, base.target = embedder.fingerprint.to_json(), None
        base.changed, base.indexed = base.changed + 1, NEEDS_REBUILD


def finish_reindex(database: Database) -> bool:
    """Switch one base whose new vectors are complete and delete the old ones.

    Returns whether there was one.
    """
    number = database.read(lambda t: t.scalars(_COMPLETE.limit(1)).first())
    if number is None:
        return False
    write_with_retry(database, lambda t: _switch(t, number))
    delete_stale_vectors(database, number)
    return True


def delete_all_stale_vectors(database: Database) -> None:
    """Delete the old vectors that a killed worker left behind after a switch."""
    with_vectors = select(KnowledgeBase.number).where(KnowledgeBase.changed > 0)
    for number in database.read(lambda t: t.scalars(with_vectors).all()):
        delete_stale_vectors(database, number)


def delete_stale_vectors(database: Database, number: int) -> None:
    """Delete a base's vectors that are neither current nor being built, in short transactions."""
    while keys := database.read(lambda t: _stale_keys(t, number)):
        _remove(database, keys)


def _remove(database: Database, keys: Sequence[tuple[int, str]]) -> None:
    for fingerprint in {one for _, one in keys}:
        old = delete(Vector).where(
            Vector.chunk_id.in_([key for key, one in keys if one == fingerprint])
        )
        write_with_retry(database, _executing(old.where(Vector.fingerprint == fingerprint)))


def _executing(statement: Any) -> Any:
    return lambda t: t.execute(statement) and None


def _queue(t: Session, base_ids: Sequence[str], embedded: str | None) -> None:
    """Queue the ready files with other vectors than `embedded`; None queues all parsed files."""
    values = {"status": "embedding", "progress": 0.0, "attempts": 0, "error": None, **NO_LEASE}
    # Files whose pages are being recognised are embedded after that.
    statuses = [status for status in SEARCHABLE if status != RECOGNISING]
    files = update(File).where(File.knowledge_base_id.in_(base_ids), File.status.in_(statuses))
    if embedded is not None:
        files = files.where(
            File.status == "ready", or_(File.embedded.is_(None), File.embedded != embedded)
        )
    t.execute(files.values(**values).execution_options(synchronize_session=False))


_TARGET_ID: ColumnElement[str] = KnowledgeBase.target["id"].as_string()
# Bases being re-indexed whose files all have their new vectors.
_COMPLETE: Select[int] = select(KnowledgeBase.number).where(
    _TARGET_ID.is_not(None),
    ~exists().where(
        File.knowledge_base_id == KnowledgeBase.id,
        File.status.in_(SEARCHABLE),
        or_(File.embedded.is_(None), File.embedded != _TARGET_ID),
    ),
)


def _switch(t: Session, number: int) -> None:
    base = t.get(KnowledgeBase, number, with_for_update=True)
    if base is None or t.scalars(_COMPLETE.where(KnowledgeBase.number == number)).first() is None:
        return
    base.fingerprint, base.target = base.target, None
    base.changed, base.indexed = base.changed + 1, NEEDS_REBUILD


def _stale_keys(t: Session, number: int) -> list[tuple[int, str]]:
    base = t.get(KnowledgeBase, number)
    if base is None:
        return []
    kept = [made["id"] for made in (base.fingerprint, base.target) if made]
    query = (
        select(Vector.chunk_id, Vector.fingerprint)
        .join(Chunk, Chunk.id == Vector.chunk_id)
        .join(File, File.id == Chunk.file_id)
        .where(File.knowledge_base_id == base.id, Vector.fingerprint.not_in(kept))
    )
    return [(row.chunk_id, row.fingerprint) for row in t.execute(query.limit(BATCH_VECTORS))]
