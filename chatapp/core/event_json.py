"""Events of an answer as JSON-ready lists, and back."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Logged,
    Reasoning,
    Sources,
    ToolCall,
    WasThinking,
)

_KINDS = (Context, Sources, Reasoning, Chunk, ToolCall, WasThinking, Done, Error)
_TYPES = {kind.__name__: kind for kind in _KINDS}
_FIELDS = {kind: [each.name for each in fields(kind)] for kind in _TYPES.values()}


def events_to_json(events: Iterable[Logged]) -> list[Any]:
    """Write events as JSON-ready lists: the kind, then the fields in their order."""
    return [
        [type(event).__name__, *(getattr(event, name) for name in _FIELDS[type(event)])]
        for event in events
    ]


def events_from_json(stored: Iterable[Any]) -> list[Logged]:
    """Read what `events_to_json` wrote."""
    events: list[Logged] = []
    for name, *values in stored:
        if name == "Sources":
            values = [tuple(values[0])]
        events.append(_TYPES[name](*values))
    return events
