"""The names of web pages: by their address until they are read, then by their title."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from chatapp.knowledge.names import file_name
from chatapp.storage.models import File

HTML_TYPES = ("text/html", "application/xhtml+xml")
# Kinds of text that are told apart by the name.
_EXTENSIONS = {
    "text/csv": ".csv",
    "text/markdown": ".md",
    "application/json": ".json",
    "text/plain": ".txt",
}


def name_of_address(address: str) -> str:
    """Return the last part of an address's path, else its host."""
    parts = urlsplit(address)
    return file_name(unquote(parts.path).rstrip("/") or parts.hostname or "")


def sent_name(address: str, media_type: str) -> str:
    """Return the name by which a page's kind is detected: servers name it better than addresses.

    `/blob/notes.md` and `/index.php` are HTML where the server says so.
    """
    name = name_of_address(address)
    if media_type in HTML_TYPES:
        return name if name.lower().endswith((".html", ".htm", ".xhtml")) else f"{name}.html"
    extension = _EXTENSIONS.get(media_type, "")
    return name if PurePosixPath(name).suffix or not extension else f"{name}{extension}"


def name_of_title(title: str) -> str:
    """Return the name of a page with this title; "" where nothing of it is visible."""
    name = " ".join(title.replace("/", "-").replace("\\", "-").split())
    if not any(map(str.isalnum, name)):
        return ""
    # What follows a dot would be taken for the name's extension.
    return file_name(f"{name}.html" if PurePosixPath(name).suffix else name)


def download_name(file: File) -> str:
    """Return the name for a file's copy on a disk; that of a page gets its kind's extension."""
    name, sent = file_name(file.name), (file.fetch or {}).get("name", "")
    extension = PurePosixPath(sent).suffix if file.url else ""
    return name if name.lower().endswith(extension.lower()) else file_name(f"{name}{extension}")
