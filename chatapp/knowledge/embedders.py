"""The configured embedder: the built-in one, or a service that speaks OpenAI's protocol.

Both are called the same way; the built-in one is a process of its own (processes/embedder.py).
Every embedder has a fingerprint: vectors with different fingerprints must never be compared, even
where they have the same dimension.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Any
from urllib.parse import urlsplit

from chatapp.chains.http.tls import is_loopback
from chatapp.child import OwnHelper
from chatapp.errors import EmbedderUnavailable
from chatapp.home import EMBEDDER, address, helpers_run, model_folder
from chatapp.knowledge.built_in import BUILT_IN, FORMER, QuestionMeans, Traits
from chatapp.knowledge.json_client import ErrorStatus, InvalidResponse, JsonClient, Unreachable
from chatapp.knowledge.search.vectors import pack, unpack
from chatapp.settings import BUILTIN, OFF, Settings

log = logging.getLogger("chatapp.knowledge")

QUERY_SECONDS = 3
PASSAGES_SECONDS = 45  # shorter than a lease
BATCH_TEXTS = 32  # texts per request
ID_CHARACTERS = 48  # length of a fingerprint's id
SERVICE_SHARE = 0.5  # the weight of a service's ranking, unless set
BATCH_REFUSED = (400, 413, 422)  # statuses by which a service rejects too large a batch


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies the embedder of a vector.

    `id` differs wherever vectors cannot be compared; `model` is the displayed name.
    """

    id: str
    model: str

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"id": self.id, "model": self.model}


class Embedder:
    """Computes vectors.

    `share` is the weight (0..1) of their ranking, `supports` returns whether vectors of a text are
    useful, `replaces` are the ids of the embedders whose bases move to this one by themselves.
    `cosines` are None where it is not known which similarities mean anything.
    """

    def __init__(
        self,
        client: JsonClient,
        fingerprint: Fingerprint,
        traits: Traits,
        compact: bool = False,
        replaces: Sequence[str] = (),
        means: QuestionMeans | None = None,
    ) -> None:
        self._client = client
        self.fingerprint = fingerprint
        self.share = traits.share
        self.supports = traits.reads
        self.replaces = replaces
        self.cosines = traits.cosines
        self._means = means
        self._query_prefix, self._passage_prefix = traits.prefixes
        self._compact = compact
        self._batch_texts = BATCH_TEXTS

    def embed_query(self, question: str) -> bytes:
        """Return the vector of a question; raise EmbedderUnavailable."""
        vector = self._embed([self._query_prefix + question], QUERY_SECONDS, urgent=True)[0]
        return vector if self._means is None else self._means.without(question, vector)

    def similarities(self, question: str, texts: Sequence[str]) -> list[float] | None:
        """Return the cosine of a question with each of some texts that it waits for.

        Returns None where the embedder does not support them or does not answer.
        """
        if not self.supports(question):
            return None
        made: list[bytes] = []
        try:
            asked = unpack(self.embed_query(question))
            for first in range(0, len(texts), BATCH_TEXTS):
                batch = [self._passage_prefix + text for text in texts[first : first + BATCH_TEXTS]]
                made += self._embed(batch, QUERY_SECONDS, urgent=True)
        except EmbedderUnavailable as fault:
            log.warning("sentences are compared by words only: %s", fault.key)
            return None
        return [sum(map(mul, asked, unpack(vector))) for vector in made]

    def embed_passages(
        self, texts: Sequence[str], heartbeat: Callable[[], None] = lambda: None
    ) -> list[bytes | None]:
        """Return the vectors of passages in order, None for a passage that is refused on its own.

        `heartbeat` is called before each request and may raise. Where the service accepts only
        smaller batches, later calls use them. Raises EmbedderUnavailable.
        """
        made: list[bytes | None] = []
        taken = 0
        while len(made) < len(texts):
            batch = [
                self._passage_prefix + text
                for text in texts[len(made) : len(made) + self._batch_texts]
            ]
            vectors, most = self._embed_some(batch, heartbeat)
            made += vectors
            taken = max(taken, most)
        if texts and not taken and not self._embeds_anything(heartbeat):
            raise self._unavailable("refused")
        self._batch_texts = (
            min(self._batch_texts, max(taken, 1)) if taken < len(texts) else self._batch_texts
        )
        return made

    def _embed_some(
        self, texts: Sequence[str], heartbeat: Callable[[], None]
    ) -> tuple[list[bytes | None], int]:
        """Return vectors and the size of the largest accepted batch; split refused batches."""
        heartbeat()
        try:
            return list(self._embed(texts, PASSAGES_SECONDS)), len(texts)
        except EmbedderUnavailable as fault:
            if fault.http_status not in BATCH_REFUSED:
                raise
        if len(texts) == 1:
            return [None], 0
        half = len(texts) // 2
        (first, one), (second, other) = (
            self._embed_some(texts[:half], heartbeat),
            self._embed_some(texts[half:], heartbeat),
        )
        return first + second, max(one, other)

    def _embeds_anything(self, heartbeat: Callable[[], None]) -> bool:
        """Return whether the service embeds a trivial text; if so, it refuses only the passages."""
        return self._embed_some([self._passage_prefix + "text"], heartbeat)[1] > 0

    def _embed(self, texts: Sequence[str], seconds: float, urgent: bool = False) -> list[bytes]:
        payload: dict[str, Any] = {"model": self.fingerprint.model, "input": list(texts)}
        if self._compact:
            payload |= {"encoding_format": "base64", "urgent": urgent}
        try:
            reply = self._client.call("POST", "/embeddings", payload, seconds)
            entries = sorted(reply["data"], key=lambda entry: entry.get("index", 0))
            vectors = [_to_vector(entry["embedding"]) for entry in entries]
            if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) != 1:
                raise ValueError("wrong number of vectors")
            return vectors
        except InvalidResponse as fault:
            raise self._unavailable("garbled") from fault
        except Unreachable as fault:
            raise self._unavailable("away") from fault
        except ErrorStatus as fault:
            log.warning(
                "the embedder %s answered with status %s", self.fingerprint.model, fault.status
            )
            raise self._unavailable(
                "key" if fault.status in (401, 403) else "refused", fault.status
            ) from fault
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise self._unavailable("garbled") from fault

    def _unavailable(self, detail: str, status: int = 0) -> EmbedderUnavailable:
        return EmbedderUnavailable(detail, status, model=self.fingerprint.model)


def _to_vector(reply: Any) -> bytes:
    if isinstance(reply, str):
        return base64.b64decode(reply, validate=True)
    return pack([float(number) for number in reply])


def configured_embedder(settings: Settings, own: OwnHelper | None = None) -> Embedder | None:
    """Return the configured embedder, None where there is none.

    `own` starts the built-in embedder where no helper process runs it, for example for a worker on
    another machine.
    """
    if settings.embedder == OFF:
        return None
    if settings.embedder == BUILTIN:
        return _builtin(settings, own)
    url = settings.embedder_url
    prefixes = settings.query_prefix, settings.passage_prefix
    fingerprint = Fingerprint(
        _hash([_service_identity(url), settings.embedder, *prefixes]), settings.embedder
    )
    headers = {"Authorization": f"Bearer {settings.embedder_key}"} if settings.embedder_key else {}
    proxy = "" if is_loopback(url) else settings.proxy
    client = JsonClient(lambda: url, headers, proxy, settings.ca_file)
    return Embedder(client, fingerprint, Traits(_share(settings, SERVICE_SHARE), prefixes))


def _builtin(settings: Settings, own: OwnHelper | None) -> Embedder | None:
    folder = model_folder()
    if folder is None:
        return None
    described = json.loads((folder / "model.json").read_text("utf-8"))
    fingerprint = Fingerprint(
        _builtin_id(described["name"], described["sha256"]), described["name"]
    )
    replaces = [one for former in FORMER if (one := _builtin_id(*former)) != fingerprint.id]

    def find() -> str | None:
        at = address(settings.home, EMBEDDER)
        if at is None and own is not None and not helpers_run(settings.home):
            at = own.address()
        return f"http://{at}/v1" if at else None

    traits = BUILT_IN[described["name"]]
    traits = replace(traits, share=_share(settings, traits.share))
    means = QuestionMeans(folder) if traits.has_means else None
    return Embedder(
        JsonClient(find), fingerprint, traits, compact=True, replaces=replaces, means=means
    )


def _share(settings: Settings, usual: float) -> float:
    return usual if settings.embedder_share is None else settings.embedder_share / 100


def _builtin_id(name: str, sha256: str) -> str:
    return _hash(["builtin", name, sha256])


def _service_identity(url: str) -> str:
    """Return host, port and path of a service, without key or trailing slash."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or ''}{parts.path.rstrip('/')}"


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:ID_CHARACTERS]
