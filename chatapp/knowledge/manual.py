"""The bundled knowledge base: the manual, read-only for users and updated with the product."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.i18n import say
from chatapp.knowledge.ingest.jobs import DELETING
from chatapp.knowledge.ingest.remove import Remover, mark_deleting
from chatapp.storage.database import Database
from chatapp.storage.models import File, KnowledgeBase, new_id, now

# Stores a file in a base (by number) under a name; returns the SHA-256 of its bytes.
Store: TypeAlias = Callable[[int, str, Path], str]
KEY = "manual"
NAME = "Manual · 使用手册"  # as stored; shown in each reader's language
EXTENSIONS = (".md", ".txt", ".pdf", ".docx")


def install(database: Database, store: Store, remover: Remover, folder: Path, name: str) -> None:
    """Make the base match the folder: add missing files, delete outdated ones, compared by
    content."""
    number = database.write(lambda t: _base(t, name))
    paths = sorted(path for path in folder.iterdir() if path.suffix in EXTENSIONS)
    wanted = {store(number, _file_name(path), path) for path in paths}
    for file_id in database.write(lambda t: _mark_outdated(t, number, wanted)):
        remover.remove_file(file_id)


def translate_name(text: str, language: str) -> str:
    """Replace the manual's stored name in a text by its name in a reader's language."""
    return text.replace(NAME, say(language, "server.manual"))


def _file_name(path: Path) -> str:
    """Return the name under which a file is cited: its title instead of "en.md"."""
    with open(path, encoding="utf-8") as text:
        title = text.readline() if path.suffix == ".md" else ""
    return title.removeprefix("# ").strip() + path.suffix if title.startswith("# ") else path.name


def _base(t: Session, name: str) -> int:
    base = t.scalars(select(KnowledgeBase).where(KnowledgeBase.bundled == KEY)).first()
    if base is None:
        base = KnowledgeBase(id=new_id(), bundled=KEY, name=name, created_at=now())
        t.add(base)
    base.name = name
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
