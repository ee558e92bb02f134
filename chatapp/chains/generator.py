"""The runnable of our chains: LangChain's, without its bookkeeping where nobody asks for it.

Imported when the first chain is built: LangChain's runnables load the client of a tracing service.
"""

from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableGenerator

from chatapp.core.prompt import Ask


class AnswerGenerator(RunnableGenerator[Ask, Any]):
    """A RunnableGenerator from one question to the pieces of its answer.

    Without a config there are no callbacks, since tracing is always off (tracing.py). LangChain's
    preparations for them take three times as long as the prompt.
    """

    def __init__(self, answer: Callable[[Iterator[Ask]], Iterator[Any]]) -> None:
        super().__init__(answer)
        self._answer = answer

    def stream(
        self, input: Ask, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Yield the pieces of the answer."""
        if config or kwargs:
            return super().stream(input, config, **kwargs)
        return self._answer(iter((input,)))
