"""The retrieval chain: one generator that says what it does, then what it found, then the answer as it comes.

It streams {"status": stage}, {"context": documents, "query", "cut"}, and {"answer": piece} for each piece of the model.
One RunnableGenerator, since assign() adds message chunks up again at every step (reference/performance.md).
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable, RunnableGenerator

from chatapp.chains.followup import Leans, rewriter
from chatapp.chains.piece import as_document
from chatapp.core.prompt import Ask, Passage, Prompt, build_prompt, select_passages

Retrieve: TypeAlias = Callable[[str], list[Passage]]


def retrieval_chain(
    model: Runnable[Prompt, Any], retrieve: Retrieve, leans: Leans | None = None
) -> Runnable[Ask, dict[str, Any]]:
    """Return a chain that answers from passages. `leans` says which questions are made to stand alone; None: none are."""
    rewrite = rewriter(model) if leans is not None else None

    def answer(asks: Iterator[Ask]) -> Iterator[dict[str, Any]]:
        for ask in asks:
            query = ask.question
            if rewrite is not None and leans is not None and leans(query, ask.history):
                yield {"status": "rewriting"}
                query = rewrite(ask)
            yield {"status": "searching"}
            found = retrieve(query)
            prompt = build_prompt(ask, select_passages(ask, found))
            cut = {"passages": len(found) - len(prompt.passages), **prompt.cut}
            yield {"context": [as_document(passage) for passage in prompt.passages], "query": query, "cut": cut}
            yield {"status": "writing"}
            stream = model.stream(prompt)
            try:
                for piece in stream:
                    yield {"answer": piece}
            finally:
                if (close := getattr(stream, "close", None)) is not None:
                    close()

    return RunnableGenerator(answer)
