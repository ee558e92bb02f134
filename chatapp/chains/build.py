"""Chains: from a question to the pieces of its answer.

    chain = build_chain(models.model(endpoint, parameters), retrieve)
    for piece in pieces(chain.stream(ask)): …

langchain and openai are imported in this package only, and none of their objects or errors leave
it. What takes long to load is loaded when a worker has begun to listen (`preload`), or by the first
question: LangChain's runnables, which load the client of a tracing service, and openai, which takes
45 MB and a second, and which the built-in model does not need.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from chatapp.chains.messages import Model
from chatapp.chains.pieces import Finished, Piece, Retrieved, pieces
from chatapp.chains.rag import Retrieve, StillUnread, retrieval_chain
from chatapp.core.prompt import Ask, build_prompt

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

Chain: TypeAlias = "Runnable[Ask, Any]"

__all__ = [
    "Chain",
    "Finished",
    "Model",
    "Piece",
    "Retrieve",
    "Retrieved",
    "build_chain",
    "pieces",
    "preload",
]


def build_chain(
    model: Model,
    retrieve: Retrieve | None = None,
    rewrite: bool = False,
    unread: StillUnread = tuple,
) -> Chain:
    """Return the chain for a model: plain, or the retrieval chain where `retrieve` is given.

    With `rewrite`, the model rewrites a question that depends on the history for the search; a
    model without `within` never does. `unread` returns the files that cannot be searched yet; the
    answer waits for those that have just been uploaded.
    """
    if retrieve is None:
        return _plain_chain(model)
    return retrieval_chain(model, retrieve, rewrite, unread)


def preload() -> None:
    """Load what every chain needs."""
    from chatapp.chains import generator  # noqa: F401


def _plain_chain(model: Model) -> Chain:
    """Return `prompt | model` as one step; as two, every answer begins 0.16 ms later."""
    from chatapp.chains.generator import AnswerGenerator

    def answer(asks: Iterator[Ask]) -> Iterator[Any]:
        for ask in asks:
            yield from model.stream_text(build_prompt(ask, None))

    return AnswerGenerator(answer)
