"""The built-in embedding models: what is known of each, and which ones were built in before.

Set-up makes them (scripts/embedder.py). The shares are measured, see docs/measurements.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from chatapp.core.text import is_wide

_LETTER = re.compile(r"[^\W\d_]")
_CHINESE_OR_LATIN = re.compile(
    r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a model.

    `share` is the weight (0..1) of its ranking, `prefixes` go before questions and passages, and
    `reads` returns whether its vectors of a text are useful.
    """

    share: float
    prefixes: tuple[str, str] = ("", "")
    reads: Callable[[str], bool] = lambda text: True


def is_chinese_or_latin(text: str) -> bool:
    """Return whether most letters of a text are Chinese or Latin."""
    if text.isascii():
        return True
    return 2 * len(_CHINESE_OR_LATIN.findall(text)) >= len(_LETTER.findall(text))


BUILT_IN = {
    # Its vocabulary is cut to these two scripts.
    "multilingual-e5-small": Traits(0.7, ("query: ", "passage: "), is_chinese_or_latin),
    # Of Chinese it knows nothing (R@1 12.8 %).
    "all-MiniLM-L6-v2": Traits(0.3, reads=lambda text: not is_wide(text)),
}
# Names and SHA-256 of the models of earlier versions: bases with their vectors move by themselves.
FORMER = (
    (
        "all-MiniLM-L6-v2",
        "190e4a4acab77c1175700bd7007b3b582755694a151feeb2f6b4c79da747e533",
    ),
)
