"""Models, chains and the pieces they stream: the only package that imports LangChain."""

from chatapp.chains import tracing

tracing.disable()
