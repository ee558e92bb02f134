"""Markdown: keeps the text and makes a section of each heading."""

import re
from collections.abc import Iterator
from itertools import islice

from chatapp.knowledge.formats.document import MAX_SECTIONS, Document, Headings, Section
from chatapp.knowledge.formats.plain import checked

EXTENSIONS = frozenset((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".rmd", ".qmd"))
MAX_FRONT_MATTER = 5000  # characters
_FENCE = re.compile(r"[ \t]*(?:>[ \t]*)*(?:[-*+][ \t]+|\d{1,3}[.)][ \t]+)?(`{3,}(?!.*`)|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_SETEXT = re.compile(r"\s{4}|\t|\s*(?:[|>#<]|[*+-]\s)")
_FRONT_MATTER = re.compile(r"(---|\+\+\+)\n(?=[\w-]+[ \t]*[:=])[\s\S]*?\n(?:\1|\.\.\.)(?:\n|$)")
_TITLE = re.compile(r"^title\s*[:=]\s*(.+)$", re.MULTILINE)
# Of the front matter, what a reader would be told; the rest is for a site's generator.
_KEPT = re.compile(
    r"^(?:subtitle|description|summary|abstract|authors?|date|tags|keywords|categories)[ \t]*[:=]"
    r".*(?:\n(?:[ \t]+|-[ \t]).*)*",
    re.MULTILINE | re.IGNORECASE,
)
# Decoration that is removed from headings: images, HTML tags, an anchor at the end; link targets;
# marks of emphasis and code.
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<[^>]{0,200}>|\s*\{#[^}]*\}\s*$")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")


def read(text: str) -> Document:
    """Read Markdown; raise Unreadable where it is empty or too long."""
    title, text = _without_front_matter(checked(text))
    sections = islice(markdown_sections(text, title), MAX_SECTIONS)
    return Document("text/markdown", text, tuple(sections))


def markdown_sections(text: str, title: str = "") -> Iterator[Section]:
    """Yield a section for the title and for each heading, except in fenced code."""
    headings = Headings()
    start = above_start = 0
    if title:
        yield Section(0, headings.enter(0, title))
    fence = above = before = ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        fenced = _FENCE.match(bare)
        if fence:
            if fenced and fenced.group(1).startswith(fence) and not bare.strip(" \t>`~"):
                fence = ""
        elif fenced:
            fence = fenced.group(1)
        elif atx := _ATX.match(bare):
            yield Section(start, headings.enter(len(atx.group(1)), _plain_heading(atx.group(2))))
        elif (rule := _SETEXT.match(bare)) and _is_setext_heading(before, above):
            level = 1 if rule.group(1)[0] == "=" else 2
            yield Section(above_start, headings.enter(level, _plain_heading(above)))
        before, above, above_start = above, "" if fence or fenced else bare, start
        start += len(line)


def _is_setext_heading(before: str, line: str) -> bool:
    """Return whether an underlined line is a heading: one line of text after a blank line."""
    return bool(line.strip()) and not before.strip() and not _NO_SETEXT.match(line)


def _without_front_matter(text: str) -> tuple[str, str]:
    """Return the title in the front matter, and the text with only what is kept of the latter."""
    found = _FRONT_MATTER.match(text, 0, MAX_FRONT_MATTER)
    if not found:
        return "", text
    title = _TITLE.search(found.group())
    kept = "\n".join(line.group() for line in _KEPT.finditer(found.group()))
    rest = text[found.end() :].strip("\n")
    whole = "\n\n".join(filter(None, [kept, rest]))
    return title.group(1).strip("\"' ") if title else "", whole or text


def _plain_heading(heading: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", _IMAGE.sub("", heading))).strip() or heading
