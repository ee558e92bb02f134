"""E-books: an EPUB's pages in reading order, each read as HTML."""

import posixpath
from typing import Any
from urllib.parse import unquote

from chatapp.knowledge.formats.document import Builder, Document, Unreadable
from chatapp.knowledge.formats.encodings import decode
from chatapp.knowledge.formats.html import add_page
from chatapp.knowledge.formats.packages import Package, attribute, child, local_name

MEDIA_TYPE = "application/epub+zip"
CONTAINER = "META-INF/container.xml"
RIGHTS = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html")
_FONTS = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")


def read(package: Package) -> Document:
    """Read a book; raise Unreadable where it is encrypted, damaged or has no text."""
    _require_open(package)
    rootfile = child(package.root(CONTAINER), "rootfiles", "rootfile")
    main = unquote(attribute(rootfile, "full-path")) if rootfile is not None else ""
    book = package.root(main)
    folder = posixpath.dirname(main)
    manifest, spine = child(book, "manifest"), child(book, "spine")
    if manifest is None or spine is None:
        raise Unreadable("damaged")
    items = {attribute(one, "id"): one for one in manifest}
    builder = Builder()
    for reference in spine:
        item = items.get(attribute(reference, "idref"))
        if (
            item is None
            or attribute(item, "media-type") not in _PAGES
            or "nav" in attribute(item, "properties").split()
        ):
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(attribute(item, "href"))))
        with builder.skips:
            add_page(builder, decode(package.read(name)))
    return builder.finish(MEDIA_TYPE)


def _require_open(package: Package) -> None:
    """Raise Unreadable for a book with encrypted pages; encrypted fonts are ignored."""
    if not package.has(RIGHTS):
        return
    methods: list[Any] = [
        one for one in package.root(RIGHTS).iter() if local_name(one.tag) == "EncryptionMethod"
    ]
    if any(not attribute(one, "Algorithm").encode().startswith(_FONTS) for one in methods):
        raise Unreadable("encrypted")
