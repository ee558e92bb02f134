"""A knowledge base in a temporary home, filled and searched by the product's own steps: upload,
queue, worker and search. Only the parser runs in this process."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import TracebackType

from sqlalchemy.orm import Session

from chatapp.child import OwnHelper, chroma_command, embedder_command
from chatapp.core.prompt import Passage
from chatapp.errors import EmbedderUnavailable, UnreadableFile
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.chroma import VectorIndex
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.evaluation.outcome import Outcome, Values
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.chroma_sync import ChromaSync
from chatapp.knowledge.ingest.embedding import Embedding
from chatapp.knowledge.ingest.jobs import Job
from chatapp.knowledge.ingest.parse import parse
from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.search.lexical import create_index, index_for
from chatapp.settings import OFF, Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import Base, User

OWNER = "evaluation"
MAX_ATTEMPTS = 5  # to embed a file, with longer and longer pauses (ingest/embedding.py)
WAIT_SECONDS = 0.5  # between looks for a file whose pause is over


class TemporaryBase:
    """A base with the configured embedder and search, apart from all stored data.

    `searches` counts the searches, `words_only` and `not_reranked` those in which the embedder or
    the reranker did not answer, `split_otherwise` the files that were not split as configured.
    Raises EmbedderUnavailable.
    """

    def __init__(self, settings: Settings) -> None:
        self.searches = self.words_only = self.not_reranked = self.split_otherwise = 0
        self._splitting = settings.splitting
        self.reranker = settings.reranker if settings.reranker != OFF else None
        self.texts: dict[str, str] = {}  # of the files, as they were read
        self._ids: dict[str, str] = {}
        with ExitStack() as stack:
            home = Path(tempfile.mkdtemp(prefix="chatapp-eval-"))
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            own = replace(settings, home=home, files=None, database_url="", chroma_url="")
            self._open(own, stack)
            self._stack = stack.pop_all()

    def _open(self, settings: Settings, stack: ExitStack) -> None:
        folder = settings.home / "vectors"
        chroma = OwnHelper(lambda host, port: chroma_command(folder, host, port))
        stack.callback(chroma.close)
        own = OwnHelper(embedder_command)
        stack.callback(own.close)
        self.embedder = configured_embedder(settings, own)
        if self.embedder is not None:
            self.embedder.embed_passages(["text"])  # fails at once, and with the reason
        database = open_database(settings.sql_url)
        stack.callback(database.close)
        Base.metadata.create_all(database.engine)
        database.write(lambda t: create_index(t.connection()))
        self._user = database.write(_add_user)
        index = VectorIndex(lambda: f"http://{at}" if (at := chroma.address()) else None)
        self._knowledge = Knowledge(database, settings, index, self.embedder)
        self._base = self._knowledge.create(self._user, OWNER)["id"]
        self._bases = self._knowledge.select_bases(self._user, [self._base])
        self._ingest = Ingest(
            database,
            index_for(database.sqlite),
            self._knowledge.originals,
            lambda path, name, _, _charset="": self._parse(path, name, settings.file_pages),
            embedder=self.embedder,
        )
        self._embedding = Embedding(database, self.embedder, lambda: False)
        self._sync = ChromaSync(database, index)

    def _parse(self, path: Path, name: str, pages: int) -> Document:
        document = parse(path, name, pages)
        self.texts[name] = document.text
        return document

    def __enter__(self) -> "TemporaryBase":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the helpers and delete the home."""
        self._stack.close()

    def add(self, files: Mapping[str, str]) -> None:
        """Upload texts by file name and process them."""
        for name, text in files.items():
            row = self._knowledge.add_file(self._user, self._base, name, BytesIO(text.encode()))
            self._ids[name] = row["id"]
        postponed: set[str] = set()
        while (job := self._ingest.claim(OWNER)) or postponed:
            if job is None:
                time.sleep(WAIT_SECONDS)
            elif job.is_read:
                self._embed(job, postponed)
            elif self._ingest.read(job) == "failed":
                raise UnreadableFile("damaged")
        self._synchronise()
        self.split_otherwise = sum(
            self._knowledge.file(self._user, self._base, file_id)["split"] != self._splitting
            for file_id in self._ids.values()
        )

    def _embed(self, job: Job, postponed: set[str]) -> None:
        """Embed a file; a slow embedder is asked again, as by the product's worker."""
        if self._embedding.run(job) == "ready":
            postponed.discard(job.file_id)
        elif job.attempts < MAX_ATTEMPTS:
            postponed.add(job.file_id)
        else:
            raise EmbedderUnavailable("away", model=self.model or "")

    def remove(self, names: Sequence[str]) -> None:
        """Delete files."""
        for name in names:
            self._knowledge.delete_file(self._user, self._base, self._ids.pop(name))
        self._synchronise()

    def _synchronise(self) -> None:
        while self._sync.has_work() and self._sync.run_step():
            pass

    def search(self, question: str, k: int) -> list[Passage]:
        """Return the passages that a chat would find."""
        found = self._knowledge.search(self._bases, question, k)
        self.searches += 1
        embedder = self.embedder
        if found and embedder is not None and embedder.share and embedder.supports(question):
            by_words = all(passage.by.get("vectors") is None for passage in found)
            self.words_only += by_words and any(embedder.supports(one.text) for one in found)
        if self.reranker is not None and len(found) > 1:
            self.not_reranked += not any("rerank" in passage.by for passage in found)
        return found

    def outcome(self, values: Values, milliseconds: Sequence[float]) -> Outcome:
        """Return these values with what is known of the searches."""
        return Outcome(
            self.model,
            self.reranker,
            self._splitting,
            values,
            sorted(milliseconds),
            self.searches,
            self.words_only,
            self.not_reranked,
            self.split_otherwise,
        )

    @property
    def model(self) -> str | None:
        """The name of the embedding model."""
        return self.embedder.fingerprint.model if self.embedder is not None else None


def _add_user(t: Session) -> str:
    user = User(name=OWNER)
    t.add(user)
    t.flush()
    return user.id
