"""Client of Chroma: collections of vectors by chunk id, with the file's md5. No text is stored.

This module speaks version 2 of Chroma's REST API and does not load the chromadb package, which
costs 68 MB and 0.7 s in every process (docs/decisions.md). Collections are created with cosine
distance and without an embedding function: the default one would download a model. Everything
stored here can be rebuilt from SQL at any time.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from chatapp.knowledge.json_client import ErrorStatus, JsonClient, Unreachable
from chatapp.knowledge.search.vectors import unpack
from chatapp.settings import Settings

TENANTS = "/api/v2/tenants"
TENANT, DATABASE = "default_tenant", "default_database"
QUERY_SECONDS = 3
WRITE_SECONDS = 60
LIST_SECONDS = 120
NAMES_SECONDS = 10
LISTED_AT_ONCE = 10_000


T = TypeVar("T")


class CollectionMissing(Exception):
    """There is no such collection."""


class RequestRejected(Exception):
    """The server rejects the request; retrying is useless."""


@dataclass(frozen=True, slots=True)
class VectorEntry:
    """A vector to store."""

    chunk_id: int
    md5: str
    embedding: bytes


class VectorIndex:
    """The collections of one server.

    Every method may raise Unreachable (no answer, or not a reply of Chroma) and RequestRejected.
    """

    def __init__(
        self,
        find: Callable[[], str | None],
        ca_file: str = "",
        token: str = "",
        tenant: str = "",
        database: str = "",
    ) -> None:
        # Chroma's own service expects the second header, proxies and older servers the first.
        headers = {"Authorization": f"Bearer {token}", "X-Chroma-Token": token} if token else {}
        self._calls = JsonClient(find, headers, ca_file=ca_file)
        self._tenant, self._database = tenant or TENANT, database or DATABASE
        self._databases = f"{TENANTS}/{self._tenant}/databases"
        self._collections = f"{self._databases}/{self._database}/collections"
        self._ids: dict[str, str] = {}

    @classmethod
    def of(cls, settings: Settings, find: Callable[[], str | None]) -> "VectorIndex":
        """Return the index on the server of the settings; the one started here needs no token."""
        if not settings.chroma_url:
            return cls(find)
        place = (settings.chroma_token, settings.chroma_tenant, settings.chroma_database)
        return cls(find, settings.ca_file, *place)

    @property
    def url(self) -> str | None:
        """The server's current URL."""
        return self._calls.url

    def create(self, name: str) -> None:
        """Create a collection unless one of that name exists."""
        payload = {
            "name": name,
            "get_or_create": True,
            "configuration": {"hnsw": {"space": "cosine"}},
        }
        try:
            made = self._call("POST", self._collections, payload, WRITE_SECONDS)
        except RequestRejected:
            self._create_database()
            made = self._call("POST", self._collections, payload, WRITE_SECONDS)
        self._ids[name] = _shaped(lambda: str(made["id"]))

    def drop(self, name: str) -> None:
        """Delete a collection; a missing one is ignored."""
        self._ids.pop(name, None)
        try:
            self._call("DELETE", f"{self._collections}/{name}", None, WRITE_SECONDS)
        except CollectionMissing:
            return

    def names(self, prefix: str) -> list[str]:
        """Return the names of the collections that begin with `prefix`."""
        path = f"{self._collections}?limit={LISTED_AT_ONCE}"
        listed = self._call("GET", path, None, NAMES_SECONDS)
        return _shaped(
            lambda: [entry["name"] for entry in listed if entry["name"].startswith(prefix)]
        )

    def chunk_ids(self, name: str) -> set[int]:
        """Return the ids of the chunks whose vectors are stored; raise CollectionMissing."""
        found: set[int] = set()
        while True:
            payload = {"include": [], "limit": LISTED_AT_ONCE, "offset": len(found)}
            listed = self._on(name, "get", payload, LIST_SECONDS)
            page = _ids(listed)
            if page <= found:
                return found
            found |= page

    def count(self, name: str) -> int:
        """Return the number of stored vectors; raise CollectionMissing."""
        counted = self._on(name, "count", None, QUERY_SECONDS)
        return _shaped(lambda: int(counted))

    def upsert(self, name: str, entries: Sequence[VectorEntry]) -> None:
        """Store at most a hundred vectors: more would block the server's other clients.

        Raises CollectionMissing.
        """
        payload = {
            "ids": [str(entry.chunk_id) for entry in entries],
            "embeddings": [base64.b64encode(entry.embedding).decode() for entry in entries],
            "metadatas": [{"md5": entry.md5} for entry in entries],
        }
        self._on(name, "upsert", payload, WRITE_SECONDS)

    def delete(self, name: str, chunk_ids: Sequence[int]) -> None:
        """Delete vectors; raise CollectionMissing."""
        self._on(name, "delete", {"ids": [str(one) for one in chunk_ids]}, WRITE_SECONDS)

    def query(
        self, name: str, vector: bytes, most: int, md5s: Sequence[str] | None = None
    ) -> Mapping[int, float]:
        """Return the nearest chunks with their similarity (cosine, -1..1); raise CollectionMissing.

        `md5s` restricts the query to these files.
        """
        payload: dict[str, Any] = {
            "query_embeddings": [unpack(vector)],
            "n_results": most,
            "include": ["distances"],
        }
        if md5s is not None:
            payload["where"] = {"md5": {"$in": list(md5s)}}
        found = self._on(name, "query", payload, QUERY_SECONDS)
        return _shaped(
            lambda: {
                int(one): 1 - distance
                for one, distance in zip(found["ids"][0], found["distances"][0], strict=True)
            }
        )

    def _create_database(self) -> None:
        """Create tenant and database: of its own, a server has only the default ones."""
        for path, name in ((TENANTS, self._tenant), (self._databases, self._database)):
            with suppress(RequestRejected):  # it exists
                self._call("POST", path, {"name": name}, WRITE_SECONDS)

    def _on(self, name: str, verb: str, payload: Mapping[str, Any] | None, seconds: float) -> Any:
        """Call an operation on a collection. A collection that was recreated has a new id, so
        look it up again."""
        method = "GET" if payload is None else "POST"
        if name in self._ids:
            try:
                return self._call(
                    method, f"{self._collections}/{self._ids[name]}/{verb}", payload, seconds
                )
            except CollectionMissing:
                self._ids.pop(name, None)
        there = self._call("GET", f"{self._collections}/{name}", None, seconds)
        self._ids[name] = _shaped(lambda: str(there["id"]))
        return self._call(method, f"{self._collections}/{self._ids[name]}/{verb}", payload, seconds)

    def _call(
        self, method: str, path: str, payload: Mapping[str, Any] | None, seconds: float
    ) -> Any:
        try:
            return self._calls.call(method, path, payload, seconds)
        except ErrorStatus as fault:
            if fault.status == 404 and path.startswith(f"{self._collections}/"):
                raise CollectionMissing from fault
            if 400 <= fault.status < 500 and fault.status not in (404, 408, 429):
                raise RequestRejected(str(fault)) from fault
            raise Unreachable(str(fault)) from fault


def _ids(listed: Any) -> set[int]:
    return _shaped(lambda: {int(one) for one in listed["ids"]})


def _shaped(read: Callable[[], T]) -> T:
    """Extract a value from the server's reply; raise Unreachable where it has another shape."""
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable("not a reply of Chroma") from fault
