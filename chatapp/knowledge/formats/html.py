"""HTML: a page's own text as headings, paragraphs, lists, table rows and code.

Scripts do not run and nothing is fetched. Invisible text is left out (it may be aimed at models),
and so are menus, banners and footers where the page marks them or they consist of links.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import unescape
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatapp.core.text import normalise
from chatapp.knowledge.formats.document import MAX_HEADING_CHARACTERS, Builder, Document
from chatapp.knowledge.formats.html_tree import (
    ATOMIC,
    BLOCKS,
    BREAK,
    ENTER,
    HEADINGS,
    TEXT,
    Excluded,
    collapse_whitespace,
    events,
    inner_text,
    is_visible,
    measure,
)
from chatapp.knowledge.formats.tables import Row, paragraphs

MEDIA_TYPE = "text/html"
EXTENSIONS = frozenset((".html", ".htm", ".xhtml", ".xht", ".shtml"))
SAMPLE_CHARACTERS = 20_000
MAX_DEPTH = 3000  # nested tags; the parser takes quadratic time for more
# Minimum share of the page's text in a part marked as main; smaller ones are ignored.
MIN_MAIN_SHARE = 0.25
MAX_COLUMNS = 1000
# Average characters of a cell, above which a table is layout and not data.
LAYOUT_CELL_CHARACTERS = 400
# Possessive, so that comments cause no backtracking.
_FIRST_TAG = re.compile(
    r"(?:\ufeff|\s|<\?xml[^>]*>|<!--(?:(?!-->).)*-->)*+"
    r"<(?P<tag>!doctype\s+html|html|head|body|title|meta|script|style|table|div|h[1-6]|p|ul|ol|center)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
# [^<>] keeps "<a <a <a" from being scanned again from each tag.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?=[\s/>])[^<>]*?(/?)>")
_UNCLOSED = (
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th "
    "thead tbody tfoot option optgroup "
    "a rp rt"
)
_UNCLOSED_TAGS = frozenset(_UNCLOSED.split())
_EMBEDDED = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=\s]+")

_PAGE_FRAME = frozenset(("nav", "aside", "footer"))
_MAIN_FRAME = frozenset(("nav",))
_ROLE_NAMES = (
    "navigation banner contentinfo search menu menubar toolbar complementary dialog alertdialog"
)
_FRAME_ROLES = frozenset(_ROLE_NAMES.split())
_LINE_END = re.compile(
    r"</?(?:p|div|br|li|tr|h[1-6]|table|ul|ol|section|article|blockquote|pre)\b[^<>]*>", re.I
)
_INVISIBLE = re.compile(
    r"<(script|style|noscript|template)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.I | re.DOTALL
)
_LAYOUT_CONTENT = "table table, td h1, td h2, td h3, td pre"
UNORDERED = -1


def is_html(text: str, extension: str) -> bool:
    """Return whether a text is HTML: by its first tag, or by its extension if it contains tags."""
    begins = _FIRST_TAG.match(text[:SAMPLE_CHARACTERS])
    if begins:
        return extension != ".xml" or "html" in begins.group("tag").lower()
    return extension in EXTENSIONS and bool(_TAG.search(text))


def read(text: str) -> Document:
    """Read a page; one that is nested too deeply is read as text without structure."""
    builder = Builder()
    title = add_page(builder, text)
    return replace(builder.finish(MEDIA_TYPE), title=title)


def add_page(builder: Builder, text: str) -> str:
    """Add a page's text to a document; return the page's title."""
    text = _EMBEDDED.sub("", text)
    if _is_too_deep(text):
        for line in _LINE_END.sub("\n", _INVISIBLE.sub("", text)).split("\n"):
            builder.add(" ".join(unescape(re.sub("<[^<>]*>", "", line)).split()))
        return ""
    parsed = LexborHTMLParser(text)
    body = parsed.body or parsed.root
    if body is None:
        return ""
    named = parsed.css_first("head title")
    title = " ".join(named.text().split()) if named else ""
    _add_title(builder, title, body)
    menus, sizes = measure(body)
    menus.discard(body.mem_id)
    root = _main(parsed, body, sizes)
    excluded = Excluded(
        menus, _PAGE_FRAME if root.mem_id == body.mem_id else _MAIN_FRAME, _FRAME_ROLES
    )
    if not _add_blocks(builder, root, excluded):
        _add_blocks(builder, body, Excluded())
    return normalise(title[:MAX_HEADING_CHARACTERS])


def _is_too_deep(text: str) -> bool:
    """Return whether tags are nested so deeply that the parser would take too long."""
    open_: Counter[str] = Counter()
    depth = 0
    for found in _TAG.finditer(text):
        tag = found.group(2).lower()
        if tag in _UNCLOSED_TAGS or found.group(3):
            continue
        if not found.group(1):
            open_[tag] += 1
            depth += 1
        elif open_[tag]:
            open_[tag] -= 1
            depth -= 1
        if depth > MAX_DEPTH:
            return True
    return False


def _add_title(builder: Builder, title: str, body: LexborNode) -> None:
    """Put the page's title above its headings, unless the first one repeats it."""
    first = body.css_first("h1")
    heading = " ".join(first.text().split()).casefold() if first else ""
    if title and not (heading and (heading in title.casefold() or title.casefold() in heading)):
        builder.heading(0, title)


def _main(parsed: LexborHTMLParser, body: LexborNode, sizes: Mapping[int, int]) -> LexborNode:
    """Return the page's main part, where it is marked and holds enough of the text."""
    for selector in ("main", "[role=main]", "article"):
        found = parsed.css(selector)
        if len(found) == 1 and sizes.get(found[0].mem_id, 0) >= MIN_MAIN_SHARE * sizes.get(
            body.mem_id, 0
        ):
            return found[0]
    return body


# --- blocks


def _add_blocks(builder: Builder, root: LexborNode, excluded: Excluded) -> bool:
    """Add the visible blocks below a node; return whether there were any."""
    before = builder.length
    writer = _Writer(builder, excluded)
    for event, node in events(root, lambda node: is_visible(node, excluded), _is_atomic):
        try:
            writer.handle(event, node)
        except Exception as fault:
            builder.skips.drop(fault)
    writer.end_paragraph()
    return builder.length > before


def _is_atomic(node: LexborNode) -> bool:
    tag = node.tag or ""
    return tag in HEADINGS or tag == "pre" or (tag == "table" and is_records(node))


class _Writer:
    """Writes blocks: text is collected until a block begins or ends."""

    def __init__(self, builder: Builder, excluded: Excluded) -> None:
        self._builder = builder
        self._excluded = excluded
        self._pieces: list[str] = []
        # Number of items of each open list; UNORDERED for bullets.
        self._counts: list[int] = []
        self._mark = ""  # of the open item
        self._follows = False  # whether the next item continues the same list

    def handle(self, event: int, node: LexborNode) -> None:
        """Process the next event."""
        tag = node.tag or ""
        if event == TEXT:
            self._pieces.append(node.text_content or "")
        elif tag == "br":
            self._pieces.append(BREAK if event == ENTER else "")
        elif event == ATOMIC:
            self.end_paragraph()
            self._add_atomic(node, tag)
        elif tag in BLOCKS:
            self.end_paragraph()
            if tag in ("ul", "ol"):
                self._open_list(tag) if event == ENTER else self._close_list()
            elif tag == "li" and event == ENTER:
                self._begin_item()

    def end_paragraph(self) -> None:
        """Add the collected text as a block."""
        text = collapse_whitespace("".join(self._pieces))
        self._pieces.clear()
        if text:
            self._builder.add(self._mark + text, "\n" if self._mark and self._follows else "\n\n")
            self._follows, self._mark = bool(self._mark), ""

    def _add_atomic(self, node: LexborNode, tag: str) -> None:
        self._follows, self._mark = False, ""
        if tag in HEADINGS:
            self._builder.heading(HEADINGS[tag], inner_text(node, self._excluded))
        elif tag == "pre":
            code = node.text().strip("\n")
            self._builder.add(f"```\n{code}\n```" if "\n" in code else code)
        else:
            for row in table_rows(node, self._excluded):
                self._builder.add(row)

    def _open_list(self, tag: str) -> None:
        self._follows = self._follows and bool(self._counts)
        self._counts.append(0 if tag == "ol" else UNORDERED)

    def _close_list(self) -> None:
        if self._counts:
            self._counts.pop()

    def _begin_item(self) -> None:
        number = ""
        if self._counts and self._counts[-1] != UNORDERED:
            self._counts[-1] += 1
            number = f"{self._counts[-1]}."
        self._mark = "  " * (len(self._counts) - 1) + (number or "-") + " "


# --- tables


def is_records(table: LexborNode) -> bool:
    """Return whether a table holds data rather than page layout."""
    if (table.attributes.get("role") or "") in ("presentation", "none") or table.css_first(
        _LAYOUT_CONTENT
    ):
        return False
    cells = list(islice(table.css("td, th"), 200))
    rows = list(islice(table.css("tr"), 200))
    if len(cells) <= len(rows):  # one column
        return False
    return sum(len(cell.text()) for cell in cells) <= LAYOUT_CELL_CHARACTERS * len(cells)


def table_rows(table: LexborNode, excluded: Excluded) -> Iterator[str]:
    """Yield a table's caption and rows as text."""
    caption = table.css_first("caption")
    if caption:
        yield inner_text(caption, excluded)
    rows: list[Row] = []
    header = 0
    # Column → remaining rows of a cell that spans rows, and its text.
    below: dict[int, tuple[int, str]] = {}
    for row in table.css("tr"):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        texts = _row_texts(cells, below, excluded)
        if not texts:
            continue
        all_heads = all(cell.tag == "th" for cell in cells) or (
            row.parent is not None and row.parent.tag == "thead"
        )
        header += all_heads and header == len(rows)
        rows.append(texts)
    yield from paragraphs(rows, header if 0 < header < len(rows) else None)


def _row_texts(
    cells: Sequence[LexborNode], below: dict[int, tuple[int, str]], excluded: Excluded
) -> dict[int, str]:
    """Return a row's texts by column, repeating cells that span rows and wide headers."""
    texts = {column: text for column, (_, text) in below.items() if text}
    column = 0
    reaching: dict[int, tuple[int, str]] = {
        column: (rows - 1, text) for column, (rows, text) in below.items() if rows > 1
    }
    for cell in cells:
        while column in below:
            column += 1
        text = inner_text(cell, excluded)
        down, across = _span(cell, "rowspan"), _span(cell, "colspan")
        for place in range(column, min(column + across, MAX_COLUMNS)):
            shown = text if place == column or cell.tag == "th" else ""
            if shown:
                texts[place] = shown
            if down > 1:
                reaching[place] = (down - 1, shown)
        column += across
    below.clear()
    below.update(reaching)
    return texts


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return max(1, min(int(value), MAX_COLUMNS)) if value.isascii() and value.isdigit() else 1
