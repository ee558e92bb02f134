"""Text as it stands, and Markdown: where its headings are."""

import re
from collections.abc import Iterator
from itertools import islice

from chatapp.core.text import normalise
from chatapp.knowledge.formats.document import (
    MOST_CHARACTERS,
    MOST_SECTIONS,
    Document,
    Headings,
    Section,
    Unreadable,
)

MARKDOWN = frozenset((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".rmd", ".qmd"))
MOST_FRONT = 5000  # characters of what stands about a document before it
_FENCE = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+][ \t]+|\d{1,3}[.)][ \t]+)?(`{3,}(?!.*`)|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_SETEXT = re.compile(r"\s{4}|\t|\s*(?:[|>#<]|[*+-]\s)")
_FRONT = re.compile(r"(---|\+\+\+)\n(?=[\w-]+[ \t]*[:=])[\s\S]*?\n(?:\1|\.\.\.)(?:\n|$)")
_FRONT_TITLE = re.compile(r"^title\s*[:=]\s*(.+)$", re.MULTILINE)
# What decorates a heading and is not read: pictures, links' targets, HTML, marks of emphasis and code, an anchor at the end.
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<[^>]{0,200}>|\s*\{#[^}]*\}\s*$")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_MARK = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")


def read(text: str, name: str = "") -> Document:
    """Read plain text; raise Unreadable for an empty one and for too much."""
    return Document("text/plain", whole(text))


def read_markdown(text: str, name: str = "") -> Document:
    """Read Markdown: its text as it stands, and the sections that its headings begin."""
    text = whole(text)
    return Document("text/markdown", text, tuple(islice(markdown_sections(text), MOST_SECTIONS)))


def whole(text: str) -> str:
    """Normalise a text that is kept as it stands; raise Unreadable for an empty one and for too much."""
    if len(text) > 2 * MOST_CHARACTERS:
        raise Unreadable("too_long", limit=MOST_CHARACTERS)
    text = normalise(text)
    if not text.strip():
        raise Unreadable("empty")
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too_long", limit=MOST_CHARACTERS)
    return text


def markdown_sections(text: str) -> Iterator[Section]:
    """Yield the sections that headings begin, leaving out what only looks like one: in fenced code, in front matter."""
    headings = Headings()
    start = above_start = _front_end(text)
    if start and (titled := _FRONT_TITLE.search(text, 0, start)):
        yield Section(0, headings.enter(0, titled.group(1).strip("\"' ")))
    fence = above = before = ""
    for line in text[start:].splitlines(keepends=True):
        bare = line.rstrip("\n")
        fenced = _FENCE.match(bare)
        if fence:
            if fenced and fenced.group(1).startswith(fence) and not bare.strip(" \t>`~"):
                fence = ""
        elif fenced:
            fence = fenced.group(1)
        elif atx := _ATX.match(bare):
            yield Section(start, headings.enter(len(atx.group(1)), _title(atx.group(2))))
        elif (
            (rule := _SETEXT.match(bare))
            and above.strip()
            and not before.strip()
            and not _NO_SETEXT.match(above)
        ):
            yield Section(
                above_start, headings.enter(1 if rule.group(1)[0] == "=" else 2, _title(above))
            )
        before, above, above_start = above, "" if fence or fenced else bare, start
        start += len(line)


def _front_end(text: str) -> int:
    found = _FRONT.match(text, 0, MOST_FRONT)
    return found.end() if found else 0


def _title(heading: str) -> str:
    return _MARK.sub("", _LINK.sub(r"\1", _PICTURE.sub("", heading))).strip() or heading
