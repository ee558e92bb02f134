"""A model server as a supplier, and the outcome of its streams."""

from collections.abc import Iterator
from typing import Any

from chatapp.chains.build import Finished, Piece, build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import Models
from chatapp.core.events import Chunk, Reasoning
from chatapp.core.prompt import Ask
from chatapp.errors import ChatAppError
from tests.support.modelserver import ModelServer

KEY = "sk-canary-0123456789"


class Outcome:
    """The pieces of a stream, and the error that ended it."""

    def __init__(self, stream: Iterator[Piece]) -> None:
        self.pieces: list[Piece] = []
        self.error: ChatAppError | None = None
        try:
            for piece in stream:
                self.pieces.append(piece)
        except ChatAppError as error:
            self.error = error

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Chunk))

    @property
    def reasoning(self) -> str:
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Reasoning))

    @property
    def finished(self) -> Finished | None:
        return next((piece for piece in self.pieces if isinstance(piece, Finished)), None)

    @property
    def key(self) -> str:
        return self.error.key if self.error else ""


class Supplier:
    """A model server as a supplier."""

    def __init__(self, server: ModelServer, models: Models) -> None:
        self.server = server
        self.models = models

    def endpoint(self, **options: Any) -> Endpoint:
        return Endpoint("canned", "Canned", self.server.base_url, KEY, None, options)

    def stream(self, model: str, question: str = "Hello there", **options: Any) -> Iterator[Piece]:
        chain = build_chain(self.models.model(self.endpoint(**options), Parameters(model)))
        return pieces(chain.stream(Ask(question)))

    def ask(self, model: str, question: str = "Hello there", **options: Any) -> Outcome:
        return Outcome(self.stream(model, question, **options))
