"""Rows of bases, files and chunks: finding them for somebody, and as wire.md shows them.

The getter carries the permission: `owned_base` finds what is the asker's, `readable_base` what is bundled too.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from chatapp.core.prompt import Unread
from chatapp.core.text import normalise
from chatapp.errors import Forbidden, NotFound
from chatapp.knowledge.embedders import Fingerprint
from chatapp.knowledge.ingest.jobs import DELETING, UNREAD, VISIBLE
from chatapp.knowledge.reindex import is_made_by
from chatapp.storage.models import Chunk, File, KnowledgeBase, now

MAX_NAME_CHARACTERS = 200
MAX_UNREAD = 20  # of the files that are not read yet are named
LONGEST_NAME = 1000  # characters of what a sender calls a file are looked at


def readable_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return the asker's or a bundled base; raise NotFound."""
    base = t.scalars(select(KnowledgeBase).where(KnowledgeBase.id == base_id)).first()
    if base is None or (base.user_id != user_id and base.bundled is None):
        raise NotFound("knowledge_base")
    return base


def owned_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return the asker's base; raise NotFound, Forbidden for a bundled one."""
    base = readable_base(t, user_id, base_id)
    if base.bundled is not None:
        raise Forbidden("bundled")
    return base


def stored_of(t: Session, user_id: str) -> dict[str, int]:
    """Count a person's bases, their files and the files' bytes."""
    own = KnowledgeBase.user_id == user_id
    of_files = select(func.count(), func.coalesce(func.sum(File.size), 0)).join_from(
        File, KnowledgeBase, File.knowledge_base_id == KnowledgeBase.id
    )
    files, size = t.execute(of_files.where(own, File.status != DELETING)).one()
    bases = t.scalar(select(func.count()).select_from(KnowledgeBase).where(own)) or 0
    return {"knowledge_bases": bases, "files": files, "file_bytes": int(size)}


def files_of(base: KnowledgeBase) -> Select[File]:
    """Select the files of a base but those that are being deleted."""
    return select(File).where(File.knowledge_base_id == base.id, File.status != DELETING)


def find_file(t: Session, base: KnowledgeBase, file_id: str) -> File:
    """Return a file of a base; raise NotFound."""
    file = t.scalars(files_of(base).where(File.id == file_id)).first()
    if file is None:
        raise NotFound("file")
    return file


def clean_name(name: str) -> str:
    """Return what a file is called, without the path some browsers send and without what cannot be shown."""
    name = " ".join(normalise(name[-LONGEST_NAME:]).replace("\\", "/").rpartition("/")[2].split())
    if len(name) > MAX_NAME_CHARACTERS:
        stem, dot, extension = name.rpartition(".")
        name = (
            f"{stem[: MAX_NAME_CHARACTERS - 10]}{dot}{extension[:9]}"
            if dot
            else name[:MAX_NAME_CHARACTERS]
        )
    return name or "file"


def base_json(t: Session, base: KnowledgeBase, current: Fingerprint | None) -> dict[str, Any]:
    """Return a base with what its files add up to; state is empty, reading or ready. `current` is the embedder's."""
    visible, failed = File.status.in_(VISIBLE), File.status == "failed"
    counts = select(
        func.count(),
        func.coalesce(func.sum(case((visible, File.chunks), else_=0)), 0),
        func.coalesce(func.sum(case((failed, 1), else_=0)), 0),
        func.coalesce(func.sum(case((File.status.in_(UNREAD), 1), else_=0)), 0),
    ).where(File.knowledge_base_id == base.id, File.status != DELETING)
    files, chunks, failures, pending = t.execute(counts).one()
    return {
        "id": base.id,
        "name": base.name,
        "description": base.description,
        "files": files,
        "chunks": int(chunks),
        "failed": int(failures),
        "pending": int(pending),
        "state": "reading" if pending else ("ready" if files else "empty"),
        "vectors": _vectors_json(t, base, current, int(chunks)),
        "bundled": base.bundled is not None,
        "created_at": base.created_at,
    }


def _vectors_json(
    t: Session, base: KnowledgeBase, current: Fingerprint | None, chunks: int
) -> dict[str, Any]:
    """Say what the base's vectors are: off, ready, building, or mismatch where another embedder is set up now."""
    wanted, made_with = base.target or base.fingerprint, base.fingerprint
    done = chunks
    if current is None or base.bundled is not None:
        state, done = "off", 0
    elif wanted is not None and not is_made_by(wanted, current.id):
        state = "mismatch"
    else:
        done = (
            t.scalar(
                _DONE.where(
                    File.knowledge_base_id == base.id, File.embedded == (wanted or {}).get("id", "")
                )
            )
            or 0
        )
        started = (
            t.scalar(_STARTED.where(File.knowledge_base_id == base.id, File.status == "embedding"))
            or 0
        )
        state = "ready" if done == chunks and base.target is None else "building"
        done = min(chunks, done + int(started))
    return {
        "state": state,
        "made_with": made_with["model"] if made_with else None,
        "current": current.model if current else None,
        "done": int(done),
        "total": chunks,
    }


# Built once: every question to documents asks them.
_UNREAD_FILES = (
    select(File.id, File.name, File.created_at)
    .join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    .where(KnowledgeBase.number.in_(bindparam("bases", expanding=True)), File.status.in_(UNREAD))
    .order_by(File.created_at.desc())
    .limit(MAX_UNREAD)
)
_UNREAD_OF_MD5S = _UNREAD_FILES.where(File.md5.in_(bindparam("md5s", expanding=True)))
_DONE = select(func.sum(File.chunks)).where(File.status.in_(VISIBLE))
_STARTED = select(func.sum(File.chunks * File.progress)).where(File.embedded.is_(None))


def unread_files(t: Session, bases: Sequence[int], md5s: Sequence[str] | None) -> list[Unread]:
    """Return the files that cannot be searched yet, latest first, each with its age in seconds."""
    at, asked = now(), {"bases": list(bases), "md5s": list(md5s or ())}
    rows = t.execute(_UNREAD_FILES if md5s is None else _UNREAD_OF_MD5S, asked)
    return [Unread(row.id, row.name, (at - row.created_at).total_seconds()) for row in rows]


def file_json(file: File) -> dict[str, Any]:
    """Return a file; its error is as stored, words are made from it at the exit."""
    return {
        "id": file.id,
        "knowledge_base_id": file.knowledge_base_id,
        "name": file.name,
        "md5": file.md5,
        "size": file.size,
        "media_type": file.media_type,
        "status": file.status or "queued",
        "progress": round(file.progress or 0.0, 3),
        "pages": file.pages,
        "chunks": file.chunks or 0,
        "error": file.error,
        "created_at": file.created_at,
    }


def chunk_json(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk with where it stands."""
    return {
        "ordinal": chunk.ordinal,
        "page": chunk.page,
        "heading": chunk.heading,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
    }
