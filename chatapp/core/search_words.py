"""The words by which messages are found: what stands in a text, not what it means.

Like the tokens of documents (text.py), scripts without blanks become pairs of characters, but words
are neither stemmed nor left out, and only their case is folded: a text that contains a term has all
words of the term. The last word of a term may be the beginning of one in the text. A term that
begins inside a word of the text is not found by it.
"""

import re
from collections.abc import Iterator

from chatapp.core.text import TOKEN_CHARACTERS, UNSPACED

_PIECE = re.compile(f"([{UNSPACED}]+)|([^\\W_{UNSPACED}]+)|(\\S)")
# An index may separate words at ASCII punctuation: it is stored as private characters.
_STORED = {code: 0xE000 + code for code in range(0x21, 0x7F) if not chr(code).isalnum()}


def words_of(text: str) -> set[str]:
    """Return the words of a text: words, pairs of characters with the last one, and symbols."""
    words: set[str] = set()
    for run, word, symbol in _pieces(text):
        if run:
            words.update(run[i : i + 2] for i in range(len(run)))
        else:
            words.add(word or symbol)
    return words


def words_in(term: str) -> list[tuple[str, bool]]:
    """Return the words that a text with a term has, each with whether it may go on there."""
    words: list[str] = []
    for run, word, symbol in _pieces(term):
        if len(run) > 1:
            words += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            words.append(run or word or symbol)
    return [(word, place == len(words)) for place, word in enumerate(words, 1)]


def _pieces(text: str) -> Iterator[tuple[str, str, str]]:
    for found in _PIECE.finditer(text.casefold()):
        run, word, symbol = found.groups("")
        yield run, word[:TOKEN_CHARACTERS], symbol.translate(_STORED)
