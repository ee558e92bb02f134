"""The retrieval chain: it streams its stages, then the passages found, then the answer.

Its items are {"status": stage}, {"context": passages, "query", "cut", "trace"} and
{"answer": piece} for each piece of the model. It is one RunnableGenerator, since assign() adds
message chunks up again at every step, which costs 20 µs a token (docs/measurements.md).
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeAlias

from chatapp.chains.followup import depends_on_history, rewriter, with_previous
from chatapp.chains.messages import Model
from chatapp.chains.small_talk import is_small_talk
from chatapp.core.prompt import Ask, Passage, Unread, build_prompt, select_passages
from chatapp.core.trace import Passages

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

Retrieve: TypeAlias = Callable[[str], list[Passage]]
StillUnread: TypeAlias = Callable[[], Sequence[Unread]]

READ_SECONDS = 30  # how long a question waits for recently uploaded files
RECENT_SECONDS = 120  # older ones are not waited for: a long queue must not delay all questions
POLL_SECONDS = 0.25


def retrieval_chain(
    model: Model,
    retrieve: Retrieve,
    rewrite: bool = False,
    unread: StillUnread = tuple,
) -> "Runnable[Ask, dict[str, Any]]":
    """Return a chain that answers from passages.

    With `rewrite`, the model rewrites questions that depend on the history for the search; those
    that are not rewritten are searched for with the questions before them. `unread` returns the
    files that cannot be searched yet; the chain waits for recent ones.
    """
    from chatapp.chains.generator import AnswerGenerator

    rewritten = rewriter(model) if rewrite else None

    def answer(asks: Iterator[Ask]) -> Iterator[dict[str, Any]]:
        for ask in asks:
            left = yield from _wait_for(unread)
            query = ask.question
            if depends_on_history(query, ask.history):
                if rewritten is not None:
                    yield {"status": "rewriting"}
                    query = rewritten(ask)
                if query == ask.question:
                    query = with_previous(query, ask.history)
            yield {"status": "searching"}
            found = [] if is_small_talk(ask.question) else retrieve(query)
            unread_names = [file.name for file in left]
            prompt = build_prompt(ask, select_passages(ask, found), unread_names, query)
            cut: dict[str, Any] = {"passages": len(found) - len(prompt.passages), **prompt.cut}
            if left:
                cut["unread"] = [file.to_json() for file in left]
            trace = found.trace if isinstance(found, Passages) else None
            given = trace.given(len(prompt.passages)) if trace is not None else None
            yield {"context": prompt.passages, "query": query, "cut": cut, "trace": given}
            yield {"status": "writing"}
            stream = model.stream_text(prompt)
            try:
                for piece in stream:
                    yield {"answer": piece}
            finally:
                if (close := getattr(stream, "close", None)) is not None:
                    close()

    return AnswerGenerator(answer)


def _wait_for(unread: StillUnread) -> Generator[dict[str, str], None, Sequence[Unread]]:
    """Wait until recent files can be searched; return the files that still cannot."""
    deadline = monotonic() + READ_SECONDS
    left = unread()
    if any(file.age < RECENT_SECONDS for file in left):
        yield {"status": "reading"}
        while any(file.age < RECENT_SECONDS for file in left) and monotonic() < deadline:
            sleep(POLL_SECONDS)
            left = unread()
    return left
