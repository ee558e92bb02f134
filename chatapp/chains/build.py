"""The door to LangChain: a question goes in, pieces of an answer come out.

    chain = build_chain(models.model(endpoint, parameters), retrieve)
    for piece in pieces(chain.stream(ask)): …

langchain and openai are imported in this package only, and none of their objects or errors leave it. openai itself is
loaded when the first supplier is used: it costs 45 MB and a second, which the built-in model does without.
"""

from typing import Any, TypeAlias

from langchain_core.runnables import Runnable

from chatapp.chains.chat import chat_chain
from chatapp.chains.followup import Leans, leans_on_history
from chatapp.chains.pieces import Finished, Piece, Retrieved, pieces
from chatapp.chains.rag import Retrieve, StillUnread, retrieval_chain
from chatapp.core.prompt import Ask, Prompt

Model: TypeAlias = Runnable[Prompt, Any]
Chain: TypeAlias = Runnable[Ask, Any]

__all__ = [
    "Chain",
    "Finished",
    "Leans",
    "Model",
    "Piece",
    "Retrieve",
    "Retrieved",
    "build_chain",
    "leans_on_history",
    "pieces",
]


def build_chain(
    model: Model,
    retrieve: Retrieve | None = None,
    rewrite: Leans | None = None,
    unread: StillUnread = tuple,
) -> Chain:
    """Return the chain for a model: the plain one, or with `retrieve` the one that answers from passages.

    `rewrite` says of a question and its history whether the model is to make it stand alone before the search
    (`leans_on_history`); None asks as it was asked, and so does a model that cannot be given a time limit. `unread` tells
    which files cannot be searched yet: the answer waits a while for them.
    """
    return (
        chat_chain(model) if retrieve is None else retrieval_chain(model, retrieve, rewrite, unread)
    )
