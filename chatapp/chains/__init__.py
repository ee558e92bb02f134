"""The door to LangChain: models, chains and the pieces they stream."""

from chatapp.settings import disable_tracing

disable_tracing()  # before langsmith reads and caches the variables
