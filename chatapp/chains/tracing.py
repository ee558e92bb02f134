"""LangChain's tracing, which is always off: questions and documents go to suppliers only.

LangSmith's variables would send both to a third party, past the proxy and CA file of the settings;
the older LANGCHAIN_TRACING would make LangChain refuse every answer.
"""

import os

VARIABLES = (
    "LANGSMITH_TRACING",
    "LANGSMITH_TRACING_V2",
    "LANGCHAIN_TRACING",
    "LANGCHAIN_TRACING_V2",
    "LANGCHAIN_HANDLER",
)


def disable() -> None:
    """Remove the variables; to be called before LangChain reads and caches them."""
    for name in VARIABLES:
        os.environ.pop(name, None)
