"""Decodes text by byte order mark, declaration or best guess; refuses text in no known encoding."""

import re
from pathlib import Path

from chatapp.knowledge.formats.document import MAX_CHARACTERS, Unreadable

SAMPLE_BYTES = 256 * 1024  # from which an encoding is guessed
MAX_BYTES = 4 * MAX_CHARACTERS  # more is too much text in any encoding
MAX_CHARACTER_BYTES = 4
COHERENCE_TOLERANCE = 0.1  # differences in coherence below this do not decide
# Encodings that occur in practice, commonest first. Python's others only make guesses worse.
ENCODINGS = (
    "gb18030", "big5", "cp1252", "cp932", "cp949", "cp1251", "euc_jp", "euc_kr", "big5hkscs",
    "cp1250", "koi8_r", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp437", "cp850", "cp866",
    "mac_roman",
    "utf_16", "utf_16_le", "utf_16_be", "utf_32",
)  # fmt: skip
# Labels that pages declare, and the superset that is meant by them
# (https://encoding.spec.whatwg.org/#names-and-labels).
_LABELS = {
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932", "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "windows-874": "cp874", "tis-620": "cp874", "utf-16": "utf-8", "utf8": "utf-8",
}  # fmt: skip
MAX_ODD_SHARE = 0.01  # of replacement and control characters in text
# Of the non-ASCII characters in UTF-8: tolerates a truncated log, or a name in another encoding.
MAX_BROKEN_SHARE = 0.1
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ODD = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
# Letters used by the languages of a Western, two Central European and a Turkish code page,
# commonest page first.
_LETTERS = {
    "cp1252": "äöüßéèêëàâáãåçñíîïóôõøúûæœÄÖÜÉÀÁÂÅÇÍÓÚØ¿¡ªº°§«»–—‘’“”„…€·",
    "cp1250": "ąćęłńóśźżáčďéěíňřšťúůýžőűăâîşţöüäßôĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽŐŰŞŢÖÜ°§«»–—‘’“”„…€·",
    "iso8859_2": "ąćęłńóśźżáčďéěíňřšťúůýžőűăâîşţöüäßôĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽŐŰŞŢÖÜ°§",
    "cp1254": "çğıöşüâîûÇĞİÖŞÜ°§«»–—‘’“”„…€·",
}
_CONTROL = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))
_KANA = re.compile("[\u3041-\u30f6]")
# Half of all CJK characters, and three quarters of those in use.
_HAN = re.compile("[\u4e00-\u7fff]")
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uff5e\t-~]")
_LEAD_BYTES = [bytes([lead]) for lead in range(0xC3, 0xF5)]


def read_text(path: Path, declared: str | None = None) -> str:
    """Return a file's text; raise Unreadable for binary, undecodable or too much content."""
    if path.stat().st_size > MAX_BYTES:
        with open(path, "rb") as opened:
            decode(opened.read(SAMPLE_BYTES), declared)
        raise Unreadable("too_long", limit=MAX_CHARACTERS)
    return decode(path.read_bytes(), declared)


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode by byte order mark, else strict UTF-8, else as declared, else the best guess.

    Raises Unreadable.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode_lossy(data, encoding)
    if wide := _utf16_without_bom(data[:SAMPLE_BYTES]):
        return _decode_lossy(data, wide)
    if (
        b"\x1b$" in data[:SAMPLE_BYTES]
        and (text := _decode_strictly(data, "iso2022_jp_ext")) is not None
    ):
        return text
    if (text := _decode_utf8(data)) is not None:
        return text
    if declared and (text := _decode_strictly(data, _encoding_of_label(declared))) is not None:
        return text
    return _decode_lossy(data, _guess(data[:SAMPLE_BYTES]))


def _encoding_of_label(declared: str) -> str:
    name = declared.strip().strip("\"'").lower()
    return _LABELS.get(name, name)


def _utf16_without_bom(sample: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: Latin letters make every other byte NUL."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    much, little = max(even, odd), min(even, odd)
    if much < len(sample) / 8 or little > much / 20:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _decode_strictly(data: bytes, encoding: str) -> str | None:
    try:
        return _require_text(data.decode(encoding))
    except (UnicodeError, LookupError):
        return None


def _decode_utf8(data: bytes) -> str | None:
    """Decode UTF-8 with a few broken characters at most; None where it is another encoding."""
    try:
        return _require_text(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
    broken = text.count("\ufffd")
    whole = sum(data.count(lead) for lead in _LEAD_BYTES) if broken < len(data) / 20 else 0
    if broken > MAX_BROKEN_SHARE * whole:
        return None
    _require_text(text.replace("\ufffd", ""))
    return text


def _decode_lossy(data: bytes, encoding: str) -> str:
    return _require_text(data.decode(encoding, "replace"))


def _require_text(text: str) -> str:
    if len(_ODD.findall(text)) > max(1, len(text) * MAX_ODD_SHARE):  # the last character may be cut
        raise Unreadable("unsupported")
    return text


def _guess(sample: bytes) -> str:
    """Return the most likely encoding; among equally likely ones, the most common."""
    for wide in ("utf-16-le", "utf-16-be"):
        if _is_chinese(sample, wide):
            return wide
    if (
        len(sample) - len(sample.translate(None, _CONTROL)) > len(sample) * MAX_ODD_SHARE
        and b"\0" not in sample
    ):
        raise Unreadable("unsupported")
    from charset_normalizer import from_bytes  # 20 ms, not needed for most texts

    candidates = [name for name in ENCODINGS if b"\0" in sample or not name.startswith("utf")]
    # The sample, and the file itself, may end within a character.
    for cut in range(MAX_CHARACTER_BYTES):
        matches = list(from_bytes(sample[: len(sample) - cut], cp_isolation=candidates))
        if matches:
            break
    else:
        raise Unreadable("unsupported" if b"\0" in sample else "encoding")
    best = matches[0]
    alike = {best.encoding}
    for match in matches:
        if match.chaos <= best.chaos and match.coherence >= best.coherence - COHERENCE_TOLERANCE:
            alike |= {match.encoding, *match.could_be_from_charset}
    chosen = (
        best.encoding
        if best.encoding.startswith("utf")
        else next(one for one in ENCODINGS if one in alike)
    )
    if chosen == "gb18030":
        return _chinese_or_japanese(sample)
    return _latin_code_page(sample) if chosen in _LETTERS else chosen


def _is_chinese(sample: bytes, wide: str) -> bool:
    """Return whether bytes are Chinese in UTF-16 without a byte order mark, space or line end.

    Latin letters and Shift JIS read in pairs look Chinese too. Latin has few high bytes, and Shift
    JIS yields rarely used characters.
    """
    text = sample.decode(wide, "ignore")
    high = len(sample.translate(None, bytes(range(128))))
    written, common = len(_CHINESE.findall(text)), len(_HAN.findall(text))
    return (
        bool(text)
        and high > len(sample) / 5
        and written >= 0.9 * len(text)
        and common >= 0.3 * len(text)
    )


def _latin_code_page(sample: bytes) -> str:
    """Choose the code page whose languages use the text's non-ASCII letters."""
    foreign = bytes(byte for byte in sample if byte > 127)

    def usual(encoding: str) -> float:
        letters = foreign.decode(encoding, "replace")
        return sum(letter in _LETTERS[encoding] for letter in letters)

    return max(_LETTERS, key=usual)


def _chinese_or_japanese(sample: bytes) -> str:
    """Tell EUC-JP from GB18030, which has kana in the same places: Chinese has none."""
    text = sample.decode("gb18030", "ignore")
    kana, wide = len(_KANA.findall(text)), sum(not character.isascii() for character in text)
    if kana > wide * 0.15 and "\ufffd" not in sample.decode("euc_jp", "replace")[:-1]:
        return "euc_jp"
    return "gb18030"
