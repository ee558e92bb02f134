"""Bases, files and chunks as JSON, as docs/api.md describes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, false, func, not_, select
from sqlalchemy.orm import Session

from chatapp.core.prompt import Unread
from chatapp.knowledge.embedders import Fingerprint
from chatapp.knowledge.ingest.jobs import DELETING, SEARCHABLE, UNREAD
from chatapp.knowledge.ingest.splitting import BY_MEANING, BY_SIZE, FINAL_REASONS
from chatapp.knowledge.names import file_name
from chatapp.knowledge.reindex import is_made_by
from chatapp.storage.models import Chunk, File, KnowledgeBase, now

MAX_UNREAD = 20  # files listed at most

# Prepared once: every question to documents runs them.
_EMBEDDED_CHUNKS = select(func.sum(File.chunks)).where(File.status.in_(SEARCHABLE))
_STARTED_CHUNKS = select(func.sum(File.chunks * File.progress)).where(File.embedded.is_(None))
_UNREAD_FILES = (
    select(File.id, File.name, File.created_at)
    .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    .where(KnowledgeBase.number.in_(bindparam("bases", expanding=True)), File.status.in_(UNREAD))
    .where(File.replaces.is_(None))
    .order_by(File.created_at.desc())
    .limit(MAX_UNREAD)
)
_UNREAD_OF_MD5S = _UNREAD_FILES.where(File.md5.in_(bindparam("md5s", expanding=True)))


def base_json(t: Session, base: KnowledgeBase, current: Fingerprint | None) -> dict[str, Any]:
    """Return a base with its files' totals; state is empty, reading or ready.

    `current` is the configured embedder's fingerprint.
    """
    visible, failed = File.status.in_(SEARCHABLE), File.status == "failed"
    counts = select(
        func.count(),
        func.coalesce(func.sum(case((visible, File.chunks), else_=0)), 0),
        func.coalesce(func.sum(case((failed, 1), else_=0)), 0),
        func.coalesce(func.sum(case((File.status.in_(UNREAD), 1), else_=0)), 0),
        func.coalesce(func.sum(case((_to_split_again(base, current), 1), else_=0)), 0),
    ).where(File.knowledge_base_id == base.id, File.status != DELETING, File.replaces.is_(None))
    files, chunks, failures, pending, otherwise = t.execute(counts).one()
    return {
        "id": base.id,
        "name": base.name,
        "description": base.description,
        "splitting": base.splitting,
        "split_otherwise": int(otherwise),
        "files": files,
        "chunks": int(chunks),
        "failed": int(failures),
        "pending": int(pending),
        "state": "reading" if pending else ("ready" if files else "empty"),
        "vectors": _vectors_json(t, base, current, int(chunks)),
        "bundled": base.bundled is not None,
        "created_at": base.created_at,
    }


def _to_split_again(base: KnowledgeBase, current: Fingerprint | None) -> ColumnElement[bool]:
    """Return the SQL condition for files that would be split as chosen if they were read again."""
    if base.splitting == BY_MEANING and current is None:
        return false()
    final = and_(File.split_reason.is_not(None), File.split_reason.in_(FINAL_REASONS))
    return and_(File.status.in_(SEARCHABLE), File.split != base.splitting, not_(final))


def _vectors_json(
    t: Session, base: KnowledgeBase, current: Fingerprint | None, chunks: int
) -> dict[str, Any]:
    """Return the state of a base's vectors: off, ready, building, or mismatch for another
    embedder's."""
    wanted, made_with = base.target or base.fingerprint, base.fingerprint
    of_base = File.knowledge_base_id == base.id
    done = chunks
    if current is None or base.bundled is not None:
        state, done = "off", 0
    elif wanted is not None and not is_made_by(wanted, current.id):
        state = "mismatch"
    else:
        is_wanted = File.embedded == (wanted or {}).get("id", "")
        done = t.scalar(_EMBEDDED_CHUNKS.where(of_base, is_wanted)) or 0
        started = t.scalar(_STARTED_CHUNKS.where(of_base, File.status == "embedding")) or 0
        state = "ready" if done == chunks and base.target is None else "building"
        done = min(chunks, done + int(started))
    return {
        "state": state,
        "made_with": made_with["model"] if made_with else None,
        "current": current.model if current else None,
        "done": int(done),
        "total": chunks,
    }


def unread_files(t: Session, bases: Sequence[int], md5s: Sequence[str] | None) -> list[Unread]:
    """Return the files that cannot be searched yet, latest first, each with its age in seconds."""
    at, asked = now(), {"bases": list(bases), "md5s": list(md5s or ())}
    rows = t.execute(_UNREAD_FILES if md5s is None else _UNREAD_OF_MD5S, asked)
    return [
        Unread(row.id, file_name(row.name), (at - row.created_at).total_seconds()) for row in rows
    ]


def usage(t: Session, user_id: str) -> dict[str, int]:
    """Count a user's bases, their files and the files' bytes."""
    own = KnowledgeBase.user_id == user_id
    of_files = select(func.count(), func.coalesce(func.sum(File.size), 0)).join_from(
        File, KnowledgeBase, File.knowledge_base_id == KnowledgeBase.id
    )
    shown = and_(File.status != DELETING, File.replaces.is_(None))
    files, size = t.execute(of_files.where(own, shown)).one()
    bases = t.scalar(select(func.count()).select_from(KnowledgeBase).where(own)) or 0
    return {"knowledge_bases": bases, "files": files, "file_bytes": int(size)}


def file_json(file: File) -> dict[str, Any]:
    """Return a file. Its error is as stored; web/ turns it into a sentence."""
    return {
        "id": file.id,
        "knowledge_base_id": file.knowledge_base_id,
        "name": file_name(file.name),
        "md5": file.md5 or None,
        "size": file.size,
        "media_type": file.media_type,
        "status": file.status or "queued",
        "progress": round(file.progress or 0.0, 3),
        "pages": file.pages,
        "chunks": file.chunks or 0,
        "skipped": file.skipped or 0,
        "left_out": [{"name": name, "reason": why} for name, why in file.left_out or ()],
        "scanned": file.scanned or 0,
        "recognised": file.recognised or 0,
        "words_only": file.words_only or 0,
        "split": file.split or BY_SIZE,
        "split_reason": file.split_reason,
        "error": file.error,
        "created_at": file.created_at,
        "web_page": _page_json(file.url, file.fetched_at, file.fetch or {}) if file.url else None,
    }


def _page_json(url: str, fetched_at: datetime | None, fetch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "url": url,
        "fetched_at": fetched_at,
        "again": fetch.get("again"),
        "error": fetch.get("error"),
    }


def chunk_json(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk with its position."""
    return {
        "ordinal": chunk.ordinal,
        "page": chunk.page,
        "heading": chunk.heading,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
    }
