"""RTF: paragraphs, headings and table rows, in any code page.

What is not shown is left out: hidden text, styles, pictures, running heads. Control words are those
of the RTF specification 1.9.1.
"""

import re
from dataclasses import dataclass, field, replace

from chatapp.knowledge.formats.document import Builder, Document
from chatapp.knowledge.formats.tables import Row, paragraphs

MEDIA_TYPE = "application/rtf"
MAX_DEPTH = 100_000  # of open groups
CHARACTERS = {
    "par": "\n", "sect": "\n", "page": "\n", "line": "\v", "lbr": "\v", "softline": "\v",
    "tab": "\t", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ", "qmspace": " ",
    "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "nestcell": " ", "nestrow": "\v",
    "~": "\u00a0", "_": "-", "\n": "\n", "\r": "\n", "\t": "\t", "{": "{", "}": "}", "\\": "\\",
}  # fmt: skip
_UNSEEN = (
    "fonttbl colortbl stylesheet info pict objdata objclass objname header headerl headerr headerf "
    "footer footerl footerr footerf fldinst themedata datastore listtable listoverridetable "
    "rsidtbl revtbl generator xmlnstbl latentstyles pgptbl nonshppict shprslt do sn sv bkmkstart "
    "bkmkend atnid atnauthor atnref atntime atndate annotation nonesttables upr filetbl private "
    "ftnsep ftnsepc aftnsep aftnsepc template passwordhash colorschememapping htmltag mhtmltag"
)
_UNSEEN_GROUPS = frozenset(_UNSEEN.split())
# Groups that readers may ignore by their star, but which hold what is shown.
_SEEN_GROUPS = frozenset(("shpinst", "shptxt", "ud", "shppict"))
_CODE_PAGES = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251",
    222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_EAST_ASIAN = ("cp932", "cp949", "gb18030", "big5hkscs")
_PRECISE = {"cp936": "gb18030", "cp950": "big5hkscs", "cp10000": "mac_roman", "cp65001": "utf-8"}
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+"
    rb"|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_HEADING = re.compile(r"(?:heading|标题|überschrift|titre)\s*([1-9])", re.IGNORECASE)

# Signs of lists: bullets, also in fonts of symbols, and numbers.
_BULLET, _NUMBER = re.compile(r"^[•·▪◦\uf000-\uf0ff]\s+"), re.compile(r"^(\S{1,6})\t+")


def read(data: bytes) -> Document:
    """Read a document; raise Unreadable where it holds no text."""
    builder = Builder()
    add(builder, data)
    return builder.finish(MEDIA_TYPE)


def add(builder: Builder, data: bytes) -> None:
    """Add the text of an RTF document."""
    with builder.skips:
        reader = _Reader(_Writer(builder))
        reader.read(data)


@dataclass(frozen=True, slots=True)
class _State:
    """What a group's end restores."""

    seen: bool = True
    hidden: bool = False
    after: int = 1  # characters that stand for a Unicode character in old readers
    font: int = -1
    group: str = ""


class _Reader:
    """Reads control words and text, and decodes it by the current font."""

    def __init__(self, writer: "_Writer") -> None:
        self._writer = writer
        self._state = _State()
        self._stack: list[_State] = []
        self._page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._default_font = -1
        self._held = bytearray()
        self._to_skip = 0
        self._starred = False
        self._style = ""  # the name of the style that is being defined
        self._style_number = 0

    def read(self, data: bytes) -> None:
        """Read a whole document."""
        place = 0
        while found := _TOKEN.match(data, place):
            place = found.end()
            word, number, code, sign, brace, text = found.groups()
            if text is not None:
                self._bytes(text)
            elif code is not None:
                self._bytes(bytes([int(code, 16)]))
            elif brace is not None:
                self._flush()
                self._open() if brace == b"{" else self._close()
            elif word is not None:
                if word == b"bin":
                    place += max(0, int(number or 0))
                else:
                    self._word(word.decode(), None if number is None else int(number))
            elif sign is not None:
                self._sign(sign.decode("latin-1"))
        self._flush()
        self._writer.end()

    def _open(self) -> None:
        self._to_skip = 0
        if len(self._stack) < MAX_DEPTH:
            self._stack.append(self._state)
        self._starred = False

    def _close(self) -> None:
        self._to_skip = 0
        if self._state.group == "stylesheet" and self._style:
            self._writer.define(self._style_number, self._style.strip(" ;"))
            self._style = ""
        if self._state.group == "footnote" and self._stack and not self._stack[-1].group:
            self._put("]")
        if self._stack:
            self._state = self._stack.pop()

    def _bytes(self, text: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(text))
            self._to_skip -= skipped
            text = text[skipped:]
        if self._state.group == "stylesheet":
            self._style += text.decode("latin-1")
        elif self._state.seen and not self._state.hidden:
            self._held += text

    def _flush(self) -> None:
        if self._held:
            self._writer.put(self._held.decode(self._encoding(), "replace"))
            self._held.clear()

    def _encoding(self) -> str:
        page = self._fonts.get(self._state.font, self._page)
        if page == "cp1252" and self._page in _EAST_ASIAN:
            return self._page
        return page

    def _put(self, text: str) -> None:
        self._flush()
        if self._state.seen and not self._state.hidden:
            self._writer.put(text)

    def _sign(self, sign: str) -> None:
        if sign == "*":
            self._starred = True
        elif self._to_skip:
            self._to_skip -= 1
        elif sign in CHARACTERS:
            self._put(CHARACTERS[sign])

    def _word(self, word: str, number: int | None) -> None:
        starred, self._starred = self._starred, False
        if word == "u" and number is not None:
            self._put(chr(number & 0xFFFF))
            self._to_skip = self._state.after
            return
        self._to_skip = 0
        if word in _UNSEEN_GROUPS or (starred and word not in _SEEN_GROUPS):
            self._flush()
            self._state = replace(self._state, seen=False, group=word)
        elif word in _SEEN_GROUPS:
            self._flush()
            self._state = replace(self._state, seen=self._state.seen or word == "ud")
        elif word in CHARACTERS:
            self._put(CHARACTERS[word])
        else:
            self._format(word, number)

    def _format(self, word: str, number: int | None) -> None:
        state, group = self._state, self._state.group
        if word == "f" and number is not None:
            self._flush()
            self._state = replace(state, font=number)
        elif word == "fcharset" and group == "fonttbl" and number is not None:
            if number > 1 or number == 0:
                self._fonts[state.font] = _CODE_PAGES.get(number, "cp1252")
        elif word in ("ansicpg", "cpg") and number:
            page = _PRECISE.get(f"cp{number}", f"cp{number}")
            if word == "ansicpg":
                self._page = page if _is_known(page) else self._page
            elif _is_known(page):
                self._fonts[state.font] = page
        elif word in ("mac", "pc", "pca"):
            self._page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "deff" and number is not None:
            self._default_font = number
        elif word == "plain":
            self._flush()
            self._state = replace(state, hidden=False, font=self._default_font)
        elif word in ("v", "deleted"):
            self._flush()
            self._state = replace(state, hidden=number != 0)
        elif word == "uc" and number is not None:
            self._state = replace(state, after=max(0, min(number, 100)))
        elif word == "footnote":
            self._put(" [")
            self._state = replace(state, group=word)
        elif group == "stylesheet":
            if word in ("s", "outlinelevel") and number is not None:
                self._style_number = number if word == "s" else self._style_number
        elif state.seen:
            self._flush()
            self._writer.format(word, number)


def _is_known(page: str) -> bool:
    try:
        b"".decode(page)
    except LookupError:
        return False
    return True


@dataclass(slots=True)
class _Writer:
    """Writes paragraphs, headings and table rows."""

    builder: Builder
    _pieces: list[str] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _rows: list[Row] = field(default_factory=list)
    _levels: dict[int, int] = field(default_factory=dict)
    _level: int = 0
    _in_table: bool = False

    def define(self, style: int, name: str) -> None:
        """Note a style that is one of headings."""
        if found := _HEADING.search(name):
            self._levels[style] = int(found.group(1))

    def put(self, text: str) -> None:
        """Add text; a line end ends the paragraph."""
        if "\n" not in text:
            self._pieces.append(text)
            return
        first, *others = text.split("\n")
        self._pieces.append(first)
        for other in others:
            self._end_paragraph()
            self._pieces.append(other)

    def format(self, word: str, number: int | None) -> None:
        """Note the format of the paragraph, or the end of a cell or row."""
        if word == "pard":
            self._level, self._in_table = 0, False
        elif word == "intbl":
            self._in_table = True
        elif word == "s" and number is not None:
            self._level = self._levels.get(number, 0)
        elif word == "outlinelevel" and number is not None and 0 <= number < 9:
            self._level = number + 1
        elif word == "cell":
            self._cells.append(self._taken())
        elif word == "row":
            self._rows.append({at: text for at, text in enumerate(self._cells) if text})
            self._cells = []

    def end(self) -> None:
        """Write what is left."""
        if self._cells:
            self.format("row", None)
        self._in_table = False
        self._end_paragraph()
        self._end_table()

    def _end_paragraph(self) -> None:
        if self._in_table:
            self._pieces.append("\n")
            return
        text = self._taken()
        if text:
            self._end_table()
            self.builder.heading(self._level, text) if self._level else self.builder.add(text)

    def _end_table(self) -> None:
        for text in paragraphs(self._rows):
            self.builder.add(text)
        self._rows = []

    def _taken(self) -> str:
        text = "".join(self._pieces).replace("\v", "\n")
        self._pieces = []
        # Characters beyond the first plane come as two.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = _BULLET.sub("- ", text.strip())
        return _NUMBER.sub(r"\1 ", text)
