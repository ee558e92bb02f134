"""Where migration 0001 imports `create_index` from; a landed migration is never edited."""

from chatapp.knowledge.search.lexical import create_index

__all__ = ["create_index"]
