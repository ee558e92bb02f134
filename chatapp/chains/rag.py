"""The retrieval chain: one generator that says what it does, then what it found, then the answer as it comes.

It streams {"status": stage}, {"context": documents, "query", "cut"}, and {"answer": piece} for each piece of the model.
One RunnableGenerator, since assign() adds message chunks up again at every step (reference/performance.md).
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from time import monotonic, sleep
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable, RunnableGenerator

from chatapp.chains.followup import Leans, rewriter
from chatapp.chains.messages import Model
from chatapp.core.prompt import Ask, Passage, Unread, build_prompt, select_passages

Retrieve: TypeAlias = Callable[[str], list[Passage]]
StillUnread: TypeAlias = Callable[[], Sequence[Unread]]

READ_SECONDS = 30  # a question waits so long for files that have just come,
RECENT_SECONDS = 120  # which is: in the last two minutes; a long queue must not hold every question
LOOK_SECONDS = 0.25


def retrieval_chain(
    model: Model,
    retrieve: Retrieve,
    leans: Leans | None = None,
    unread: StillUnread = tuple,
) -> Runnable[Ask, dict[str, Any]]:
    """Return a chain that answers from passages. `leans` says which questions are made to stand alone; None: none are.

    `unread` tells which files cannot be searched yet; what has just come is waited for.
    """
    rewrite = rewriter(model) if leans is not None else None

    def answer(asks: Iterator[Ask]) -> Iterator[dict[str, Any]]:
        for ask in asks:
            left = yield from _wait_for(unread)
            query = ask.question
            if rewrite is not None and leans is not None and leans(query, ask.history):
                yield {"status": "rewriting"}
                query = rewrite(ask)
            yield {"status": "searching"}
            found = retrieve(query)
            prompt = build_prompt(ask, select_passages(ask, found), [file.name for file in left])
            cut: dict[str, Any] = {"passages": len(found) - len(prompt.passages), **prompt.cut}
            if left:
                cut["unread"] = [file.to_json() for file in left]
            yield {"context": prompt.passages, "query": query, "cut": cut}
            yield {"status": "writing"}
            stream = model.stream_text(prompt)
            try:
                for piece in stream:
                    yield {"answer": piece}
            finally:
                if (close := getattr(stream, "close", None)) is not None:
                    close()

    return RunnableGenerator(answer)


def _wait_for(unread: StillUnread) -> Generator[dict[str, str], None, Sequence[Unread]]:
    """Wait until files that have just come can be searched, and say so; return those that still cannot."""
    deadline = monotonic() + READ_SECONDS
    left = unread()
    if any(file.age < RECENT_SECONDS for file in left):
        yield {"status": "reading"}
        while any(file.age < RECENT_SECONDS for file in left) and monotonic() < deadline:
            sleep(LOOK_SECONDS)
            left = unread()
    return left
