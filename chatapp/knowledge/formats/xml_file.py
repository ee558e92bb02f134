"""XML: feeds (RSS, Atom) as items, everything else as labelled lines, records and headings.

`<office><town>Bonn</town><room no="1">Blue</room></office>` becomes "town: Bonn · room: no: 1 ·
Blue". Entities are refused, since they may expand without end; nothing is fetched.
"""

import re
from collections.abc import Iterator
from html.entities import html5
from typing import Any

from lxml import etree

from chatapp.knowledge.formats.document import Builder, Document, Unreadable
from chatapp.knowledge.formats.html import add_page
from chatapp.knowledge.formats.packages import attribute, child, local_name, parse_xml
from chatapp.knowledge.formats.tables import row_text

MEDIA_TYPE, FEED_TYPE = "application/xml", "application/rss+xml"
SMALL_RECORD = 500  # characters below an element, up to which it gets no heading
LABEL_WORDS = frozenset(("p", "para", "paragraph", "text", "body", "div", "section", "value"))
TITLES = ("title", "heading", "head")
NAMES = (*TITLES, "name", "id", "key", "label")  # what names a record
_BEGIN = re.compile(r"(?:\ufeff|\s)*(?:<\?xml\b|<!--|<!DOCTYPE\s|<[A-Za-z_][\w:.-]*[\s/>])")
_DECLARATION = re.compile(r"(?:\ufeff|\s)*<\?xml\b[^>]*\?>")
_FEEDS = frozenset(("rss", "feed", "RDF"))
_ITEMS = ("item", "entry")
_DATES = ("pubDate", "published", "updated", "date", "issued", "modified")
_TEXTS = ("encoded", "content", "description", "summary")  # the fullest first
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]*>|&#?\w+;")
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)([A-Za-z]\w{1,30});")
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"


def is_xml(text: str, extension: str) -> bool:
    """Return whether a text begins as XML; without a declaration, its extension must say so."""
    if not _BEGIN.match(text[:1000]):
        return False
    declared = bool(_DECLARATION.match(text[:1000])) or text.lstrip()[:4] in ("<rss", "<fee")
    return declared or extension in (".xml", ".rss", ".atom", ".rdf")


def read(text: str) -> Document | None:
    """Read XML; return None where it is none. Raises Unreadable for entities and deep nesting."""
    content = _DECLARATION.sub("", text, count=1).encode("utf-8", "replace")
    try:
        root = parse_xml(content)
    except Unreadable as fault:
        if fault.reason != "damaged":
            raise
        root = parse_xml(_ENTITY.sub(_character, content.decode()).encode(), recover=True)
    if root is None or not _has_text(root):
        return None
    builder = Builder()
    name = local_name(root.tag)
    is_feed = name in _FEEDS and next(root.iter("{*}item", "{*}entry"), None) is not None
    if is_feed:
        _add_feed(builder, root)
    else:
        _add(builder, root, 1)
    return builder.finish(FEED_TYPE if is_feed else MEDIA_TYPE)


def _character(entity: re.Match[str]) -> str:
    """Return what an entity of HTML stands for, which XML does not know."""
    return html5.get(f"{entity.group(1)};", entity.group())


def _has_text(root: Any) -> bool:
    return any(one.strip() for one in root.itertext()) or any(one.attrib for one in root.iter())


# --- feeds


def _add_feed(builder: Builder, root: Any) -> None:
    channel = child(root, "channel")
    channel = root if channel is None else channel
    builder.heading(1, _plain(channel, "title"))
    for name in ("description", "subtitle"):
        _add_text(builder, child(channel, name))
    for item in root.iter("{*}item", "{*}entry"):
        with builder.skips:
            _add_item(builder, item)


def _add_item(builder: Builder, item: Any) -> None:
    """Add an item: title; date, author, categories and address; and its fullest text."""
    title = _plain(item, "title")
    builder.heading(2, title) if title else builder.section(2, "")
    dates = (_plain(item, name) for name in _DATES)
    author = _plain(item, "creator") or _plain(item, "author")
    categories = (_joined(one) for one in item if local_name(one.tag) == "category")
    fields = (next(filter(None, dates), ""), author, ", ".join(categories), _link(item))
    builder.add(row_text(filter(None, fields)), "\n" if title else "\n\n")
    texts = (child(item, name) for name in _TEXTS)
    _add_text(builder, max((one for one in texts if one is not None), key=_size, default=None))


def _add_text(builder: Builder, element: Any) -> None:
    """Add an element's text, which may be HTML, escaped or not."""
    if element is None:
        return
    if len(element):
        add_page(builder, etree.tostring(element, encoding="unicode", with_tail=False))
    elif _MARKUP.search(element.text or ""):
        add_page(builder, element.text)
    else:
        builder.add(" ".join((element.text or "").split()))


def _size(element: Any) -> int:
    return sum(map(len, element.itertext()))


def _plain(parent: Any, name: str) -> str:
    """Return a child's text in one line, without markup."""
    element = child(parent, name)
    if element is None:
        return ""
    inner = child(element, "name")
    text = _joined(element if inner is None else inner)
    if not _MARKUP.search(text):
        return text
    builder = Builder()
    add_page(builder, text)
    return " ".join(builder.finish("").text.split()) if builder.length else ""


def _link(item: Any) -> str:
    links = (one for one in item if local_name(one.tag) == "link")
    own = (one for one in links if attribute(one, "rel", "alternate") == "alternate")
    return next(
        filter(None, ((one.text or "").strip() or attribute(one, "href") for one in own)), ""
    )


# --- other XML


def _add(builder: Builder, element: Any, level: int) -> None:
    """Add an element: prose as a paragraph, a small record as a line, others under a heading."""
    inner = [one for one in element if local_name(one.tag)]
    if not inner or _is_prose(element):
        builder.add(_line(element))
        return
    if _is_small(element):
        kind = [local_name(element.tag)] if level > 1 else []
        builder.add(row_text([*kind, *_fields(element)]))
        return
    named: Any = next((one for one in inner if local_name(one.tag).lower() in NAMES), None)
    title = _joined(named) if named is not None and not len(named) else ""
    shown = named is not None and bool(title) and local_name(named.tag).lower() in TITLES
    if shown:
        builder.heading(level, title)
    else:
        keys = (attribute(element, one) for one in NAMES)
        builder.section(level, title or next(filter(None, keys), "") or local_name(element.tag))
    builder.add(row_text(_attributes(element)))
    for one in inner:
        if not shown or one is not named:
            _add(builder, one, level + 1)


def _is_prose(element: Any) -> bool:
    """Return whether text stands between an element's children."""
    own = (element.text, *(one.tail for one in element))
    return any(text and text.strip() for text in own)


def _is_small(element: Any) -> bool:
    """Return whether an element is a record of a few short values, and no list of records."""
    inner = [local_name(one.tag) for one in element if len(one)]
    if len(inner) > len(set(inner)):
        return False
    size = 0
    for one in element.iter():
        size += len(one.text or "") + sum(map(len, one.attrib.values()))
        if size > SMALL_RECORD or (one is not element and len(one) and _is_prose(one)):
            return False
    return True


def _fields(element: Any) -> Iterator[str]:
    yield from _attributes(element)
    for one in element:
        if not local_name(one.tag):
            continue
        if len(one):
            yield from (f"{local_name(one.tag)}.{field}" for field in _fields(one))
        elif line := _line(one):
            yield line


def _line(element: Any) -> str:
    """Return an element's text, labelled by its name unless it is prose."""
    name, text = local_name(element.tag), _joined(element)
    about = " · ".join(_attributes(element))
    content = " · ".join(filter(None, (about, text)))
    if not content or name.lower() in LABEL_WORDS or len(text) > SMALL_RECORD or len(element):
        return content
    return f"{name}: {content}"


def _attributes(element: Any) -> Iterator[str]:
    for key, value in element.items():
        if value.strip() and not key.startswith((_SCHEMA, "{http://www.w3.org/XML/")):
            yield f"{local_name(key)}: {' '.join(value.split())}"


def _joined(element: Any) -> str:
    """Return all text of an element in one line."""
    return " ".join(element.xpath("string()").split())
