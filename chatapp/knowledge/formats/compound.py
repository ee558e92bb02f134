"""Microsoft's compound files (OLE): Office until 2003, Outlook's messages, and the envelope of an
encrypted docx. Opened within limits: streams are no longer than the file that holds them."""

from collections.abc import Sequence
from pathlib import Path

import olefile

from chatapp.knowledge.formats.document import Unreadable

SIGNATURE = olefile.MAGIC
MAX_NAMES = 20_000  # streams and storages
# A stream at the top → the kind of file.
_KINDS = {
    "encryptedpackage": "encrypted",
    "workbook": "xls",
    "book": "xls",
    "worddocument": "doc",
    "powerpoint document": "ppt",
    "__properties_version1.0": "msg",
}


class CompoundFile:
    """The streams of a compound file by name."""

    def __init__(self, path: Path) -> None:
        self._size = path.stat().st_size
        try:
            self._file = olefile.OleFileIO(str(path))
            self.names = self._file.listdir(streams=True, storages=True)
        except (OSError, ValueError, IndexError, TypeError, AttributeError) as fault:
            raise Unreadable("damaged") from fault
        if len(self.names) > MAX_NAMES:
            raise Unreadable("bomb")

    @property
    def kind(self) -> str:
        """xls, doc, ppt, msg or encrypted; otherwise the reason to refuse the file."""
        top = {names[0].lower() for names in self.names}
        is_whole = top and not self._file.parsing_issues
        unknown = "unsupported" if is_whole else "damaged"
        return next((kind for name, kind in _KINDS.items() if name in top), unknown)

    def has(self, *name: str) -> bool:
        """Return whether there is a stream of this path of names."""
        return bool(self._file.exists(list(name)))

    def read(self, name: Sequence[str]) -> bytes:
        """Return a stream's bytes; raise Unreadable where it is missing or broken."""
        try:
            if self._file.get_size(list(name)) > self._size:
                raise Unreadable("damaged")
            with self._file.openstream(list(name)) as stream:
                return bytes(stream.read())
        except (OSError, ValueError, IndexError, TypeError, AttributeError) as fault:
            raise Unreadable("damaged") from fault
