"""Models, chains and the pieces they stream: the only package that imports LangChain."""

from chatapp.chains import tracing

# Before any module here imports LangChain, which reads the variables once.
tracing.disable()
