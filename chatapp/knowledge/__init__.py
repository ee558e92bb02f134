"""Documents in, passages out. `Knowledge` is what the rest of the product uses; the worker uses the parts beneath it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatapp.knowledge.bases import Knowledge
    from chatapp.knowledge.chosen import Bases

__all__ = ["Bases", "Knowledge"]


def __getattr__(name: str) -> Any:
    """Load the database side only when it is asked for: every parser's process imports this package too."""
    if name in __all__:
        from chatapp.knowledge import bases

        return getattr(bases, name)
    raise AttributeError(name)
