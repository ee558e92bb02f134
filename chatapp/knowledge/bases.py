"""The entry point of this package: knowledge bases, their files, and the search over them.

Methods take the id of the current user. access.py decides what they may do: a base that they may
not read raises NotFound, one that they may not change Forbidden.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.core.prompt import Unread
from chatapp.core.trace import Passages
from chatapp.errors import DiskFull, EmbedderUnavailable, NotFound
from chatapp.home import wake
from chatapp.knowledge import manual
from chatapp.knowledge.access import (
    Found,
    files_of,
    find_base,
    find_bases,
    find_file,
    readable_base,
    writable_base,
)
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.ingest.jobs import SEARCHABLE
from chatapp.knowledge.ingest.originals import Incoming, Originals
from chatapp.knowledge.ingest.pipeline import has_pending
from chatapp.knowledge.ingest.recognising import read_again
from chatapp.knowledge.ingest.remove import Remover, mark_deleting
from chatapp.knowledge.ingest.uploads import Uploads
from chatapp.knowledge.json_shapes import base_json, chunk_json, file_json, unread_files, usage
from chatapp.knowledge.reindex import start_reindex
from chatapp.knowledge.retokenise import has_outdated
from chatapp.knowledge.search.candidates import Candidates
from chatapp.knowledge.search.dense import DenseSearch
from chatapp.knowledge.search.lexical import index_for
from chatapp.knowledge.search.rerank import configured_reranker, texts_to_rerank
from chatapp.knowledge.search.retrieve import find, load, retrieve
from chatapp.knowledge.search.trace import with_places
from chatapp.knowledge.selection import Bases, select_bases
from chatapp.knowledge.sharing import SHARING, change_sharing, shares_of, sharing_json
from chatapp.knowledge.web_pages.names import download_name
from chatapp.knowledge.web_pages.pages import WebPages
from chatapp.settings import Settings
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import Chunk, File, KnowledgeBase, new_id, now
from chatapp.storage.paging import Keyset

LATEST_FIRST = Keyset("files", File.created_at, File.id, descending=True)
IN_READING_ORDER = Keyset("chunks", Chunk.ordinal)


class Knowledge:
    """The knowledge bases of all users: files, search, and work for the document worker."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        vectors: VectorIndex | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._database = database
        self._home, self._splitting = settings.home, settings.splitting
        self._index = index_for(database.sqlite)
        self._embedder = embedder if vectors is not None else None
        self._dense = (
            DenseSearch(database, vectors, embedder, self.wake) if vectors is not None else None
        )
        self._reranker = configured_reranker(settings)
        self.originals = Originals.of(settings)
        self._remover = Remover(database, self._index, self.originals)
        self._uploads = Uploads(database, settings, self.originals, self._remover)
        self.web_pages = WebPages(database, settings, self.wake)

    # --- bases

    def bases(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's bases, then those shared with them, then the bundled ones."""
        return self._database.read(lambda t: self._shown(t, user_id, *find_bases(t, user_id)))

    def create(
        self, user_id: str, name: str, description: str = "", splitting: str | None = None
    ) -> dict[str, Any]:
        """Create an empty base, whose files are split as is configured or chosen."""
        base = KnowledgeBase(
            id=new_id(),
            user_id=user_id,
            name=name,
            description=description,
            splitting=splitting or self._splitting,
            created_at=now(),
        )

        def add(t: Session) -> dict[str, Any]:
            t.add(base)
            t.flush()
            return self._one(t, user_id, base.id)

        return self._database.write(add)

    def base(self, user_id: str, base_id: str) -> dict[str, Any]:
        """Return one base; raise NotFound."""
        return self._database.read(lambda t: self._one(t, user_id, base_id))

    def require_writable(self, user_id: str, base_id: str) -> None:
        """Raise NotFound or Forbidden unless the user may add files to a base."""
        self._database.read(lambda t: writable_base(t, user_id, base_id) and None)

    def change(self, user_id: str, base_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Change a base's name, description, sharing, or how files are split from now on.

        Raises NotFound or Forbidden.
        """

        def save(t: Session) -> dict[str, Any]:
            found = find_base(t, user_id, base_id)
            base = found.for_managing()
            for name in values.keys() - SHARING:
                setattr(base, name, values[name])
            if values.keys() & SHARING:
                change_sharing(t, base, values)
            t.flush()
            return self._shown(t, user_id, found)[0]

        return self._database.write(save)

    def reindex(self, user_id: str, base_id: str) -> dict[str, Any]:
        """Start re-embedding a base with the configured embedder.

        Keyword search keeps working; the new vectors replace the old ones when they are complete.
        Raises EmbedderUnavailable where no embedder is configured.
        """
        embedder = self._embedder

        def begin(t: Session) -> dict[str, Any]:
            base = find_base(t, user_id, base_id).for_managing()
            if embedder is None:
                raise EmbedderUnavailable("none")
            start_reindex(t, base, embedder)
            t.flush()
            return self._one(t, user_id, base_id)

        shown = self._database.write(begin)
        self.wake()
        return shown

    def _one(self, t: Session, user_id: str, base_id: str) -> dict[str, Any]:
        return self._shown(t, user_id, find_base(t, user_id, base_id))[0]

    def _shown(self, t: Session, user_id: str, *found: Found) -> list[dict[str, Any]]:
        current = self._embedder.fingerprint if self._embedder is not None else None
        shares = shares_of(t, [one.base.number for one in found])
        return [
            base_json(t, one.base, current) | sharing_json(user_id, one, shares[one.base.number])
            for one in found
        ]

    def delete(self, user_id: str, base_id: str) -> None:
        """Delete a base, which nobody sees from then on; the worker finishes large deletions."""

        def mark(t: Session) -> int:
            base = find_base(t, user_id, base_id).for_managing()
            base.user_id = None
            return base.number

        self._clear_away([self._database.write_deletion(mark)])

    def delete_all_of(self, user_id: str) -> None:
        """Delete all of a user's bases; call it before the user's row is deleted."""
        theirs = update(KnowledgeBase).where(KnowledgeBase.user_id == user_id).values(user_id=None)
        self._clear_away(
            self._database.write_deletion(
                lambda t: list(t.scalars(theirs.returning(KnowledgeBase.number)))
            )
        )

    def _clear_away(self, numbers: Sequence[int]) -> None:
        self._remover.begin_bases(numbers)
        if self._remover.has_work():
            self.wake()

    def usage(self, user_id: str) -> dict[str, int]:
        """Count a user's bases, their files and the files' bytes."""
        return self._database.read(lambda t: usage(t, user_id))

    # --- files

    def require_space(self, size: int) -> None:
        """Raise DiskFull if there is no room for an upload of this size."""
        full = self._database.watch_disk()
        if full is not None:
            raise DiskFull(full.detail)
        threads.run(lambda: self.originals.require_space(size))

    def add_file(
        self, user_id: str, base_id: str, name: str, stream: IO[bytes] | Incoming
    ) -> dict[str, Any]:
        """Add a file to a base and queue it. For bytes the base already has, return that file with
        `duplicate`.

        Raises NotFound, Forbidden, TooLarge, DiskFull, and UnreadableFile for an empty file.
        """
        incoming = stream if isinstance(stream, Incoming) else None
        try:
            self.require_writable(user_id, base_id)
            incoming = incoming or threads.run(lambda: self.originals.receive(stream))
            stored = threads.run(incoming.finish)
            row = self._uploads.add(
                lambda t: writable_base(t, user_id, base_id), name, incoming, stored
            )
            threads.run(lambda: self.originals.sync(stored.sha256))
        finally:
            if incoming is not None:
                incoming.discard()
        self.wake()
        return row

    def files(
        self, user_id: str, base_id: str, after: str | None = None, limit: int = 200
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of a base's files, latest first, and the cursor of the next page."""

        def page(t: Session) -> tuple[list[dict[str, Any]], str | None]:
            base = readable_base(t, user_id, base_id)
            found, following = LATEST_FIRST.page(t, files_of(base), after, limit)
            return [file_json(file) for file in found], following

        return self._database.read(page)

    def file(self, user_id: str, base_id: str, file_id: str) -> dict[str, Any]:
        """Return one file; raise NotFound."""
        return self._database.read(
            lambda t: file_json(find_file(t, readable_base(t, user_id, base_id), file_id))
        )

    def delete_file(self, user_id: str, base_id: str, file_id: str) -> None:
        """Delete a file and everything derived from it; raise NotFound or Forbidden."""

        def mark(t: Session) -> None:
            mark_deleting(t, find_file(t, writable_base(t, user_id, base_id), file_id).id)

        self._database.write_deletion(mark)
        if not self._remover.begin_file(file_id):
            self.wake()

    def retry_file(self, user_id: str, base_id: str, file_id: str) -> dict[str, Any]:
        """Queue a file to be read again, or end its wait, as `queue_again` does.

        A file that is read again is not found until that is done.
        """

        def again(t: Session) -> dict[str, Any]:
            base = writable_base(t, user_id, base_id)
            file = find_file(t, base, file_id)
            read_again(t, file, base.splitting)
            t.flush()
            return file_json(file)

        row = self._database.write(again)
        self.wake()
        return row

    def content(self, user_id: str, base_id: str, file_id: str) -> tuple[Path, str]:
        """Return the original's path and the file's name; raise NotFound."""

        def find(t: Session) -> tuple[str, str]:
            file = find_file(t, readable_base(t, user_id, base_id), file_id)
            return file.sha256, download_name(file)

        sha256, name = self._database.read(find)
        path = self.originals.path(sha256)
        if not path.is_file():
            raise NotFound("file")
        return path, name

    def chunks(
        self, user_id: str, base_id: str, file_id: str, after: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of a file's chunks in reading order, and the cursor of the next page."""

        def page(t: Session) -> tuple[list[dict[str, Any]], str | None]:
            file = find_file(t, readable_base(t, user_id, base_id), file_id)
            if file.status not in SEARCHABLE:
                return [], None
            query = select(Chunk).where(Chunk.file_id == file.id)
            found, following = IN_READING_ORDER.page(t, query, after, limit)
            return [chunk_json(chunk) for chunk in found], following

        return self._database.read(page)

    # --- searching

    def select_bases(self, user_id: str, base_ids: Sequence[str]) -> Bases:
        """Return the bases to search; raise NotFound for one that the user may not read."""
        return self._database.read(lambda t: select_bases(t, user_id, base_ids))

    def search(
        self, bases: Bases, query: str, k: int = 5, md5s: Sequence[str] | None = None
    ) -> Passages:
        """Return the best passages for a question; `md5s` restricts the search to files with
        these hashes."""
        dense = self._dense.search(bases.numbers, query, md5s) if self._dense is not None else None
        if self._reranker is None or self._reranker.pauses:
            return self._database.read(
                lambda t: retrieve(t, self._index, bases.numbers, query, k, md5s, dense)
            )

        def prepare(t: Session) -> tuple[Candidates, dict[int, str]]:
            found = find(t, self._index, bases.numbers, query, md5s, dense)
            return found, texts_to_rerank(t, found)

        found, texts = self._database.read(prepare)
        reranked = replace(found, reranked=self._reranker.scores(query, texts))
        return self._database.read(lambda t: load(t, reranked, k))

    def with_places(
        self, user_id: str, candidates: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Add to candidates of an earlier search where they are now, if they still exist."""
        return self._database.read(lambda t: with_places(t, user_id, candidates))

    def unread(self, bases: Bases, md5s: Sequence[str] | None = None) -> list[Unread]:
        """Return the files of these bases that cannot be searched yet, latest first."""
        return self._database.read(lambda t: unread_files(t, bases.numbers, md5s))

    # --- the worker

    def has_work(self) -> bool:
        """Return whether the document worker has anything to do."""
        waits = self._database.read(lambda t: has_pending(t) or has_outdated(t))
        return waits or self._remover.has_work()

    def wake(self) -> None:
        """Wake this machine's document worker; workers on other machines poll."""
        wake(self._home)

    def install_manual(self, folder: Path, version: str = "") -> None:
        """Make the bundled base match a folder, unless a newer version has installed its own."""
        shelf = (self._database, self.originals, self._uploads, self._remover)
        manual.install(*shelf, folder, version)
        if self.has_work():
            self.wake()
