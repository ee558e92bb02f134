"""Text and Markdown: which encoding it is in, and where Markdown's headings stand."""

import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from chatapp.core.text import normalise
from chatapp.knowledge.formats import MOST_CHARACTERS, Document, Headings, Section, Unreadable

SAMPLE_BYTES = 256 * 1024  # to guess an encoding from
ALIKE = 0.1  # of coherence, which a guess is not to be trusted with
# What files are really in, commonest first; the rest of the hundred that Python knows only make guessing worse.
ENCODINGS = (
    "gb18030", "big5", "cp1252", "cp932", "cp949", "cp1251", "euc_jp", "euc_kr", "big5hkscs", "cp1250", "koi8_r", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp437", "cp850", "cp866", "mac_roman",
    "utf_16", "utf_16_le", "utf_16_be", "utf_32",
)  # fmt: skip
MOST_ODD = 0.01  # share of replacement and control characters in what still passes for text
MARKDOWN = (".md", ".markdown", ".mdown")
_BOMS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_ODD = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")


def read(path: Path, name: str) -> Document:
    """Read a text file; raise Unreadable for an empty one and for what is no text."""
    text = normalise(decode(path.read_bytes()))
    if not text.strip():
        raise Unreadable("empty")
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too_long", limit=MOST_CHARACTERS)
    if name.lower().endswith(MARKDOWN):
        return Document("text/markdown", text, tuple(markdown_sections(text)))
    return Document("text/plain", text)


def decode(data: bytes) -> str:
    """Decode by byte order mark, else strict UTF-8, else the best guess; raise Unreadable for what is no text."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _as_text(data, encoding)
    try:
        return _as_text(data, "utf-8-sig", "strict")
    except UnicodeDecodeError:
        return _as_text(data, _guess(data[:SAMPLE_BYTES]))


def _as_text(data: bytes, encoding: str, errors: str = "replace") -> str:
    text = data.decode(encoding, errors)
    # UTF-16 without a mark passes for UTF-8 where it holds Latin letters only: every other byte is NUL.
    if encoding == "utf-8-sig" and text.count("\0") > len(text) / 4:
        return _as_text(data, "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be")
    if len(_ODD.findall(text)) > len(text) * MOST_ODD:
        raise Unreadable("unsupported")
    return text


def _guess(sample: bytes) -> str:
    """Name the encoding that looks best; of those that look alike the commonest, since a few words fit many."""
    matches = list(from_bytes(sample, cp_isolation=list(ENCODINGS)))
    if not matches:
        raise Unreadable("unsupported")
    best = matches[0]
    alike = {best.encoding}
    for match in matches:
        if match.chaos <= best.chaos and match.coherence >= best.coherence - ALIKE:
            alike |= {match.encoding, *match.could_be_from_charset}
    return best.encoding if best.encoding.startswith("utf") else next(one for one in ENCODINGS if one in alike)


def markdown_sections(text: str) -> Iterator[Section]:
    """Yield the sections that headings begin, leaving out what only looks like one inside fenced code."""
    headings = Headings()
    fence = above = ""
    start = above_start = 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        fenced = _FENCE.match(bare)
        if fence:
            if fenced and fenced.group(1).startswith(fence) and not bare.strip(" `~"):
                fence = ""
        elif fenced:
            fence = fenced.group(1)
        elif atx := _ATX.match(bare):
            yield Section(start, headings.enter(len(atx.group(1)), atx.group(2)))
        elif above.strip() and not above.lstrip().startswith(("|", "-", "*", ">", "#")) and (rule := _SETEXT.match(bare)):
            yield Section(above_start, headings.enter(1 if rule.group(1)[0] == "=" else 2, above))
        above, above_start = "" if fence or fenced else bare, start
        start += len(line)
