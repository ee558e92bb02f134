"""The bundled knowledge base: the manual, read-only for users and updated with the product."""

import re
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.i18n import say
from chatapp.knowledge.ingest.jobs import DELETING
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.ingest.remove import Remover, mark_deleting
from chatapp.knowledge.ingest.uploads import Uploads
from chatapp.storage.database import Database
from chatapp.storage.host_models import installation
from chatapp.storage.models import File, KnowledgeBase, new_id, now

KEY = "manual"
NAME = "Manual · 使用手册"  # as stored; shown in each reader's language
EXTENSIONS = (".md", ".txt", ".pdf", ".docx")


def install(
    database: Database,
    originals: Originals,
    uploads: Uploads,
    remover: Remover,
    folder: Path,
    version: str,
) -> None:
    """Make the base match the folder: add missing files, delete outdated ones, compared by
    content. A host with an older version than another's changes nothing."""
    if not _is_newest(database, version):
        return
    number = database.write(_base)
    paths = sorted(path for path in folder.iterdir() if path.suffix in EXTENSIONS)
    wanted = {_store(originals, uploads, number, path) for path in paths}
    for file_id in database.write(lambda t: _mark_outdated(t, number, wanted)):
        remover.remove_file(file_id)


def _is_newest(database: Database, version: str) -> bool:
    """Return whether no host has installed a newer version's manual, and note this version."""

    def note(t: Session) -> bool:
        database.advisory_lock(t, KEY)
        row = installation(t)
        if _order(row.manual_version or "") > _order(version):
            return False
        row.manual_version = version or row.manual_version
        return True

    return database.write(note)


def _order(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, by which versions are compared."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _store(originals: Originals, uploads: Uploads, number: int, path: Path) -> str:
    """Store a bundled file in a base; return the SHA-256 of its bytes."""
    with open(path, "rb") as opened:
        incoming = originals.receive(opened)
    stored = incoming.finish()
    uploads.add(lambda t: t.get_one(KnowledgeBase, number), _file_name(path), incoming, stored)
    incoming.discard()
    return stored.sha256


def translate_name(text: str, language: str) -> str:
    """Replace the manual's stored name in a text by its name in a reader's language."""
    return text.replace(NAME, say(language, "server.manual"))


def _file_name(path: Path) -> str:
    """Return the name under which a file is cited: its title instead of "en.md"."""
    with open(path, encoding="utf-8") as text:
        title = text.readline() if path.suffix == ".md" else ""
    return title.removeprefix("# ").strip() + path.suffix if title.startswith("# ") else path.name


def _base(t: Session) -> int:
    base = t.scalars(select(KnowledgeBase).where(KnowledgeBase.bundled == KEY)).first()
    if base is None:
        base = KnowledgeBase(id=new_id(), bundled=KEY, name=NAME, created_at=now())
        t.add(base)
    base.name = NAME
    t.flush()
    return base.number


def _mark_outdated(t: Session, number: int, wanted: set[str]) -> list[str]:
    of_base = select(File.id).join(KnowledgeBase, KnowledgeBase.id == File.knowledge_base_id)
    old = of_base.where(
        KnowledgeBase.number == number, File.sha256.not_in(wanted) | (File.status == DELETING)
    )
    ids = list(t.scalars(old))
    for file_id in ids:
        mark_deleting(t, file_id)
    return ids
