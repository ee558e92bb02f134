"""/v1/embeddings: the vectors of the model that also serves the search in documents."""

import base64
import threading
from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any, Literal

import orjson
from flask import Response
from flask_openapi3 import Tag
from pydantic import BaseModel, BeforeValidator, Field

from chatapp.core.text import count_tokens
from chatapp.errors import InvalidRequest, NotFound
from chatapp.knowledge.embedders import Embedder
from chatapp.knowledge.search.vectors import dimension, unpack
from chatapp.storage import threads
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input, as_list
from chatapp.web.services import services

MAX_TEXTS = 2048  # as OpenAI
MAX_TEXT_CHARACTERS = 32_768
EMBEDDER = "embedder"  # stands in ids where chat models have their supplier
PREFIX = f"{EMBEDDER}/"
# Of one worker. Programs send the texts of a file one by one and all at once; the embedder takes
# them one after another, and would answer the last ones too late.
_AT_ONCE = threading.BoundedSemaphore(2)

bp = LazyBlueprint(
    "v1_embeddings",
    __name__,
    abp_tags=[Tag(name="openai", description="OpenAI's protocol, for its clients.")],
)


def _texts(value: Any) -> Any:
    if isinstance(value, list) and value and not isinstance(value[0], str):
        raise ValueError("token_numbers")
    return as_list(value)


class EmbeddingsBody(Input):
    """Texts to embed."""

    model: str = Field(max_length=300, description="the id that GET /v1/models lists")
    input: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]],
        BeforeValidator(_texts),
        Field(min_length=1, max_length=MAX_TEXTS, description="a text, or a list of texts"),
    ]
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: of little-endian 32-bit floats"
    )
    dimensions: int | None = Field(
        None, description="the length of the model's vectors; they cannot be shortened"
    )
    input_type: Literal["passage", "query"] = Field(
        "passage",
        description="query: of questions, where the model tells them from the passages they find",
    )


class Embedding(BaseModel):
    """The vector of one text, of length 1."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    """Tokens, estimated."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """The vectors, in the order of the texts."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: EmbeddingsUsage


def embedding_model() -> str | None:
    """Return the id of the embedding model, None where there is none."""
    embedder = services().embedder
    return PREFIX + embedder.fingerprint.model if embedder is not None else None


@bp.post("/v1/embeddings", responses={200: Embeddings})
def create_embeddings(body: EmbeddingsBody) -> Response:
    """Embed texts.

    The vectors are those of passages of documents unless `input_type` is `query`.
    """
    embedder = _embedder(body.model)
    with _AT_ONCE:
        vectors = _vectors(embedder, body)
    if body.dimensions not in (None, dimension(vectors[0])):
        raise InvalidRequest("dimensions", "dimensions", only=dimension(vectors[0]))
    return Response(threads.run(lambda: _to_json(body, vectors)), content_type="application/json")


def _embedder(model: str) -> Embedder:
    embedder = services().embedder
    if embedder is None:
        raise NotFound("embedder")
    if model.removeprefix(PREFIX) != embedder.fingerprint.model:
        raise NotFound("embedding_model", model=PREFIX + embedder.fingerprint.model)
    return embedder


def _vectors(embedder: Embedder, body: EmbeddingsBody) -> Sequence[bytes]:
    if body.input_type == "query":
        return [embedder.embed_query(text) for text in body.input]
    vectors: list[bytes] = []
    for index, vector in enumerate(embedder.embed_passages(body.input)):
        if vector is None:
            raise InvalidRequest(f"input.{index}", "not_embedded")
        vectors.append(vector)
    return vectors


def _to_json(body: EmbeddingsBody, vectors: Sequence[bytes]) -> bytes:
    """Encode vector by vector: no single call holds the interpreter for long."""
    encode = _base64 if body.encoding_format == "base64" else unpack
    data = [
        orjson.dumps({"object": "embedding", "index": index, "embedding": encode(vector)})
        for index, vector in enumerate(vectors)
    ]
    tokens = ceil(sum(map(count_tokens, body.input)))
    rest = {
        "object": "list",
        "model": body.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return b'{"data":[' + b",".join(data) + b"]," + orjson.dumps(rest)[1:]


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()
