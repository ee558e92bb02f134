"""Walks the tree of an HTML page and decides what is visible."""

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

from chatapp.core.text import UNSPACED

# A block with at least this many links, which hold at least this share of its text, is a menu.
MENU_LINKS = 4
MENU_SHARE = 0.85
MENU_WORDS = 40  # average characters of a menu's entry

_SKIPPED_TAGS = (
    "script style noscript template svg math iframe object embed canvas audio video map head "
    "link meta button select textarea "
    "input datalist dialog menu rp rt"
)
_SKIPPED = frozenset(_SKIPPED_TAGS.split())
_ICONS = frozenset(("span", "i", "a", "svg", "sup"))
_MEASURED = frozenset(("ul", "ol", "div", "table", "header", "body", "main", "article", "section"))
_DECORATION_CLASSES = frozenset(
    (
        "headerlink",
        "anchor",
        "anchorjs-link",
        "mw-editsection",
        "reference",
        "sr-only",
        "visually-hidden",
    )
)
_ANCHORS = frozenset("#¶§🔗")  # links of headings to themselves
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLOCK_TAGS = (
    "address article aside blockquote body center dd details dir div dl dt fieldset figcaption "
    "figure footer form header hgroup "
    "hr legend li main nav ol p section summary table tbody td tfoot th thead tr ul caption html"
)
BLOCKS = frozenset(_BLOCK_TAGS.split())
HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WIDE_BREAK = re.compile(
    f"(?<=[{UNSPACED}\u3000-\u303f\uff00-\uffef])[ "
    f"\t]*\n\\s*(?=[{UNSPACED}\u3000-\u303f\uff00-\uffef])"
)
BREAK = "\x00"  # marks a <br> until whitespace is collapsed
TEXT, ENTER, LEAVE, ATOMIC = range(4)


@dataclass(frozen=True, slots=True)
class Excluded:
    """Node ids, tags and roles that do not belong to a page's own text."""

    menus: Set[int] = frozenset()
    tags: Set[str] = frozenset()
    roles: Set[str] = frozenset()


def measure(body: LexborNode) -> tuple[set[int], dict[int, int]]:
    """Return the nodes that consist of short links, and the number of characters in each block."""
    menus: set[int] = set()
    sizes: dict[int, int] = {}
    open_: list[list[int]] = [[0, 0, 0]]  # characters, those in links, and links of each open node
    for event, node in events(body, is_visible):
        if event == TEXT:
            open_[-1][0] += len("".join((node.text_content or "").split()))
        elif event == ENTER:
            open_.append([0, 0, 0])
        elif event == LEAVE:
            size, linked, links = open_.pop()
            if node.tag == "a":
                linked, links = size, 1
            if node.tag in _MEASURED:
                sizes[node.mem_id] = size
                if links >= MENU_LINKS and MENU_SHARE * size <= linked <= MENU_WORDS * links:
                    menus.add(node.mem_id)
            for place, value in enumerate((size, linked, links)):
                open_[-1][place] += value
    return menus, sizes


def is_visible(node: LexborNode, excluded: Excluded = Excluded()) -> bool:
    """Return whether an element is visible and not excluded."""
    tag = node.tag or ""
    if tag in _SKIPPED or tag.startswith(("-", "!")) or tag in excluded.tags:
        return False
    if excluded.menus and node.mem_id in excluded.menus:
        return False
    attributes = node.attributes
    if not attributes:
        return True
    if (
        "hidden" in attributes
        or _HIDDEN.search(attributes.get("style") or "")
        or attributes.get("role") in excluded.roles
    ):
        return False
    if tag in _ICONS and (
        attributes.get("aria-hidden") == "true"
        or (tag == "a" and (node.text() or "").strip() in _ANCHORS)
    ):
        return False
    return not _DECORATION_CLASSES & set((attributes.get("class") or "").split())


# --- walking


def events(
    root: LexborNode,
    is_visible: Callable[[LexborNode], bool],
    is_atomic: Callable[[LexborNode], bool] = lambda node: False,
) -> Iterator[tuple[int, LexborNode]]:
    """Yield a page's nodes in order; the inside of an `is_atomic` node is skipped.

    No recursion, since pages may be deeply nested.
    """
    node: LexborNode | None = root
    top = root.mem_id  # comparing nodes would compare their HTML
    while node is not None:
        inner: LexborNode | None = None
        if node.tag == "-text":
            yield TEXT, node
        elif is_visible(node):
            if is_atomic(node):
                yield ATOMIC, node
            else:
                yield ENTER, node
                inner = node.first_child
                if inner is None:
                    yield LEAVE, node
        if inner is not None:
            node = inner
            continue
        while node is not None and node.mem_id != top and node.next is None:
            node = node.parent
            if node is not None:
                yield LEAVE, node
        if node is None or node.mem_id == top:
            return
        node = node.next


def collapse_whitespace(text: str) -> str:
    """Collapse whitespace as a browser does: none between CJK lines, <br> kept."""
    text = _WIDE_BREAK.sub("", text)
    return "\n".join(
        line for line in (" ".join(part.split()) for part in text.split(BREAK)) if line
    )


def inner_text(node: LexborNode, excluded: Excluded) -> str:
    """Return all visible text below a node in one line."""
    pieces: list[str] = []
    for event, inner in events(node, lambda inner: is_visible(inner, excluded)):
        if event == TEXT:
            pieces.append(inner.text_content or "")
        elif inner.tag == "br" or inner.tag in BLOCKS:
            pieces.append(" ")
    return collapse_whitespace("".join(pieces))
