"""All chats of a user as a ZIP, made while it is sent: at most one chat is in memory."""

import functools
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, cast

from chatapp.chat.sessions import Sessions, branch
from chatapp.chat.transfer.markdown import as_markdown
from chatapp.storage import threads

PAGE = 200  # chats whose titles are read at a time
NAME_CHARACTERS = 60
_NOT_IN_NAMES = re.compile(r"[^\w .,()-]+")

Chat = tuple[dict[str, Any], list[dict[str, Any]]]


def chats_of(sessions: Sessions, user_id: str) -> Iterator[Chat]:
    """Yield the user's chats, each with the messages of all branches, as in the list."""
    after: str | None = None
    while True:
        page, after = sessions.page(user_id, after, PAGE)
        for session in page:
            yield session, sessions.messages(user_id, session["id"], None, None)[0]
        if after is None:
            return


def zipped(chats: Iterator[Chat], to_json: Callable[[Any], str]) -> Iterator[bytes]:
    """Yield a ZIP of chats: each as JSON, which can be imported, and as Markdown, to read."""
    sink = _Sink()
    with zipfile.ZipFile(cast(Any, sink), "w", zipfile.ZIP_DEFLATED) as archive:
        for session, rows in chats:
            threads.run(functools.partial(_add, archive, session, rows, to_json))
            yield sink.take()
    yield sink.take()


def _add(
    archive: zipfile.ZipFile,
    session: dict[str, Any],
    rows: list[dict[str, Any]],
    to_json: Callable[[Any], str],
) -> None:
    name = f"chats/{_file_name(session)}"
    archive.writestr(f"{name}.json", to_json({"session": session, "messages": rows}))
    archive.writestr(f"{name}.md", as_markdown(session, branch(rows, session["leaf_id"])))


def _file_name(session: dict[str, Any]) -> str:
    created: datetime = session["created_at"]
    title = _NOT_IN_NAMES.sub("_", session["title"])[:NAME_CHARACTERS].strip(" .")
    return f"{created:%Y-%m-%d} {title} {session['id'][:8]}"


class _Sink:
    """What the archive is written to: keeps only what has not been sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
