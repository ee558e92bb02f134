"""A conversation as it is imported, and how a foreign tree of messages becomes one of ours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from chatapp.core.blank import is_blank
from chatapp.storage.models import now

MOST_MESSAGES = 20_000
MOST_CHARACTERS = 1_000_000  # of a message
MILLISECONDS = 1e11  # a larger number of seconds since 1970 is one of milliseconds
ROLES = ("user", "assistant")
FIRST = datetime(2000, 1, 1)  # an earlier date is none


class NotTaken(Exception):
    """A conversation cannot be imported: too_large, empty, broken or unknown."""


@dataclass(frozen=True, slots=True)
class Node:
    """A message of a foreign conversation. Without a role, its children take its place."""

    id: str
    parent: str | None
    role: str | None
    text: str = ""
    created_at: datetime | None = None
    model: str | None = None
    reasoning: str = ""
    sources: Sequence[Mapping[str, Any]] = ()
    citations: Sequence[int] = ()
    stopped: bool = False
    rating: str = ""  # up or down, of an answer
    reason: str = ""  # of the rating


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with its messages, parents first. `id` is the foreign one."""

    kind: str  # own, chatgpt or open_webui
    id: str
    title: str
    nodes: Sequence[Node]
    leaf: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    pinned: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)  # parts of messages, by reason


def arrange(conversation: Conversation, joins: bool = True) -> Conversation:
    """Return a conversation with only what is kept, parents before children, oldest first.

    `joins`: pieces of one answer, between which tools were called, become one message. Raises
    NotTaken.
    """
    if len(conversation.nodes) > MOST_MESSAGES:
        raise NotTaken("too_large")
    left_out = Counter(conversation.left_out)
    by_id = {node.id: node for node in conversation.nodes}
    kept = {node.id for node in by_id.values() if _is_kept(node, left_out)}
    if not kept:
        raise NotTaken("empty")
    nearest = _nearest_kept(by_id, kept)
    children: dict[str | None, list[str]] = {}
    for node in by_id.values():
        if node.id in kept:
            children.setdefault(nearest.get(node.parent or ""), []).append(node.id)
    made, stands_for = _joined(by_id, children, joins)
    if not made:
        raise NotTaken("broken")
    left_out["broken"] += len(kept) - len(stands_for)  # in a circle, so without a beginning
    nodes = _oldest_first(made)
    leaf = stands_for.get(nearest.get(conversation.leaf or "") or "")
    return replace(conversation, nodes=nodes, leaf=leaf or nodes[-1].id, left_out=dict(+left_out))


def _is_kept(node: Node, left_out: Counter[str]) -> bool:
    if node.role not in ROLES or is_blank(node.text):
        return False
    if len(node.text) > MOST_CHARACTERS:
        left_out["too_long"] += 1
        return False
    return True


def _nearest_kept(by_id: Mapping[str, Node], kept: set[str]) -> dict[str, str | None]:
    """Return, for every message, the nearest one at or above it that is kept."""
    nearest: dict[str, str | None] = {name: name for name in kept}
    for name in by_id:
        path: dict[str, None] = {}
        at: str | None = name
        while at is not None and at not in nearest and at in by_id and at not in path:
            path[at] = None
            at = by_id[at].parent
        found = nearest.get(at or "")
        nearest.update(dict.fromkeys(path, found))
    return nearest


def _joined(
    by_id: Mapping[str, Node], children: Mapping[str | None, Sequence[str]], joins: bool
) -> tuple[dict[str, Node], dict[str, str]]:
    """Return the messages, parents first, and which of them each foreign message is part of."""
    made: dict[str, Node] = {}
    stands_for: dict[str, str] = {}
    waiting: list[tuple[str | None, str]] = []
    waiting += [(None, name) for name in children.get(None, ())][::-1]
    while waiting:
        above, name = waiting.pop()
        node = by_id[name]
        parent = made[stands_for[above]] if above is not None else None
        if (
            joins
            and parent
            and parent.role == node.role == "assistant"
            and (len(children[above]) == 1)
        ):
            made[parent.id] = replace(
                parent,
                text=f"{parent.text}\n\n{node.text}",
                rating=node.rating or parent.rating,
                reason=node.reason or parent.reason,
            )
            stands_for[name] = parent.id
        else:
            made[name] = replace(node, parent=parent.id if parent else None)
            stands_for[name] = name
        waiting += [(name, child) for child in children.get(name, ())][::-1]
    return made, stands_for


def _oldest_first(made: Mapping[str, Node]) -> list[Node]:
    moments: dict[str, datetime] = {}
    for name, node in made.items():
        above = moments[node.parent] if node.parent else FIRST
        moments[name] = max(above, node.created_at or above)
    return sorted(made.values(), key=lambda node: moments[node.id])


# Values of foreign files, which may be anything.


def text_of(value: Any, most: int | None = None) -> str:
    """Return a text as it can be stored; anything else as an empty one."""
    if not isinstance(value, str):
        return ""
    clean = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return clean[:most]


def moment_of(value: Any) -> datetime | None:
    """Return a time, in seconds or milliseconds since 1970 or as ISO 8601; None for none."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            found = read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if value > MILLISECONDS else value
            found = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return min(found, now()) if found >= FIRST else None


def object_of(value: Any) -> dict[str, Any]:
    """Return an object; anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list; anything else as an empty one."""
    return value if isinstance(value, list) else []
