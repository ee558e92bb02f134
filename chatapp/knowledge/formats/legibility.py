"""Tells letters that are a language from what fonts without a Unicode map leave behind.

Such fonts give private or control characters, signs instead of letters, the letters of another
alphabet, or shifted ones. The tests are coarse on purpose: a page of figures, codes or names must
pass, and only a page that nobody could read may fail.
"""

import re
from functools import cache

MIN_CHARACTERS = 20  # of a text to be judged
MIN_LETTERS = 120  # of one script to be judged by their shares
MAX_UNMAPPED = 0.3  # share of private, control and replacement characters
MAX_SIGNS = 0.35  # share of signs among signs, letters and digits
MIN_SIGNS = 15  # on a page, to be judged by them
MAX_ODD_LINES = 0.4  # share of lines with more than one sign for two letters; programs have 0.25
MAX_ACCENTED = 0.3  # share of Latin-1's accented letters; French has 4 %, Vietnamese 12 %
MIN_VOWELS = 0.2  # share of vowels; languages in Latin letters have 0.35 to 0.5
MIN_COMMON = 0.6  # share of Chinese characters that are in everyday use; texts have 0.95
MIN_FREQUENT = 0.05  # share of the most frequent ones; texts have 0.25 and more

_UNMAPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_SIGNS = re.compile(r"[!\"#$%&'*+/;<=>?@\[\\\]^`{|}~\u00a1-\u00bf\u2200-\u23ff\u25a0-\u27bf]")
_ODD = re.compile("[!\"#$%&'*?@^`|~\u00a1-\u00bf\u2200-\u23ff\u25a0-\u27bf]")  # not brackets
_ASCII_SIGNS = b"!\"#$%&'*+/;<=>?@[\\]^`{|}~" + bytes([*range(9), *range(14, 32), 127])
_ASCII_LETTERS = bytes([*range(65, 91), *range(97, 123)])
_VOWELS = re.compile("[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýāăąēęěīįōőūůűœ]", re.IGNORECASE)
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_ACCENTED = re.compile("[\u00c0-\u00ff]")
_CHINESE = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上国和地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想"
    "实日者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应向头文"
    "体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声"
    "提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再"
    "感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达"
    "光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今"
    "切院让识候带导争运號這國會時說對們來個為與於後過發經現動還進種學當沒開實長從無業關兩間問應內將"
)


def is_legible(text: str) -> bool:
    """Return whether the letters of a page, or of a long line, are a language."""
    if _is_plain(text.encode("latin-1", "replace")):
        return True
    bare = "".join(text.split())
    if len(bare) < MIN_CHARACTERS:
        return len(_UNMAPPED.findall(bare)) * 2 <= len(bare)
    if not bare.isprintable() and len(_UNMAPPED.findall(bare)) > MAX_UNMAPPED * len(bare):
        return False
    return _has_letters(text, bare) and _is_latin_language(bare) and _is_chinese(bare)


def _is_plain(text: bytes) -> bool:
    """Return whether a text is beyond doubt: letters with vowels, and few signs."""
    letters = len(text) - len(text.translate(None, _ASCII_LETTERS))
    vowels = len(text) - len(text.translate(None, b"aeiouyAEIOUY"))
    signs = len(text) - len(text.translate(None, _ASCII_SIGNS))
    return letters * 2 > len(text) and vowels > 0.28 * letters and signs * 10 < letters


def _has_letters(text: str, bare: str) -> bool:
    """Return whether signs do not stand where letters would."""
    signs = len(_SIGNS.findall(bare))
    if signs < MIN_SIGNS:
        return True
    if signs > MAX_SIGNS * (signs + sum(map(str.isalnum, bare))):
        return False
    lines = text.split("\n")
    odd = sum(1 for line in lines if len(_ODD.findall(line)) * 2 > sum(map(str.isalnum, line)))
    return odd <= MAX_ODD_LINES * len(lines)


def legible_share(text: str) -> bool:
    """Return whether a line on a page that is not legible can be read all the same."""
    bare = "".join(text.split())
    letters = sum(map(str.isalpha, bare))
    return letters * 2 > len(bare) and letters > 3 and is_legible(text)


def _is_latin_language(text: str) -> bool:
    letters = "".join(_LATIN.findall(text))
    if len(letters) < MIN_LETTERS or len(letters) * 2 < sum(map(str.isalpha, text)):
        return True
    accented = 0 if text.isascii() else len(_ACCENTED.findall(letters))
    return accented <= MAX_ACCENTED * len(letters) and len(
        _VOWELS.findall(letters)
    ) >= MIN_VOWELS * len(letters)


def _is_chinese(text: str) -> bool:
    if text.isascii():
        return True
    characters = _CHINESE.findall(text)
    if len(characters) < MIN_LETTERS or len(_KANA.findall(text)) * 10 > len(characters):
        return True
    common = sum(map(_is_common, characters))
    frequent = sum(character in _FREQUENT for character in characters)
    return common >= MIN_COMMON * len(characters) and frequent >= MIN_FREQUENT * len(characters)


@cache
def _is_common(character: str) -> bool:
    """Return whether a character is of the first level of GB 2312, Big5 or JIS X 0208."""
    for encoding, first, last in (
        ("gb2312", 0xB0, 0xD7),
        ("big5", 0xA4, 0xC6),
        ("cp932", 136, 151),
    ):
        try:
            if first <= character.encode(encoding)[0] <= last:
                return True
        except UnicodeEncodeError:
            continue
    return False
