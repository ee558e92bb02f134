"""Re-exports `create_index` for migration 0001, which imports it from here and is never edited."""

from chatapp.knowledge.search.lexical import create_index

__all__ = ["create_index"]
