"""The door to LangChain: models, chains and the pieces they stream."""

from chatapp.chains import tracing

tracing.disable()
