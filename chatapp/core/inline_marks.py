"""Prose without its inline Markdown and HTML, for quotes: a mark that a cut leaves open shows."""

import html
import re

_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])")
_LINK = re.compile(r"\[([^\[\]\n]+)\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]:?")
_ADDRESS = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BREAK = re.compile(r"<(?:br|hr|p|/p|/?div|/?li|/?tr|/?td|/?th)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>")
_STRONG = re.compile(r"\*\*+|~~+|(?<!\w)__+(?=\w)|(?<=[^\s_])__+(?!\w)")
_EMPHASIS = re.compile(r"(?<![\w*\\])[*_](?=[^\s*_])|(?<=[^\s*_\\])[*_](?![\w*])")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def without_marks(text: str) -> str:
    """Return a text without emphasis, links, pictures, footnotes and tags; code spans stay.

    Takes quadratic time in marks that nothing closes: pass no more than some thousand characters.
    """
    parts: list[str] = []
    end = 0
    for found in _CODE.finditer(text):
        parts += (_bare(text[end : found.start()]), found.group())
        end = found.end()
    return "".join([*parts, _bare(text[end:])])


def _bare(text: str) -> str:
    text = _ADDRESS.sub(r"\1", _COMMENT.sub("", text))
    text = _FOOTNOTE.sub("", _LINK.sub(r"\1", _IMAGE.sub(r"\1", text)))
    text = _TAG.sub("", _BREAK.sub(" ", text))
    text = _EMPHASIS.sub("", _STRONG.sub("", text))
    return html.unescape(_ESCAPED.sub(r"\1", text))
