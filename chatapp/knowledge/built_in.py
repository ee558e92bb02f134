"""The built-in embedding models: what is known of each, and which ones were built in before.

Set-up makes them (scripts/embedder.py). The shares are measured, see docs/measurements.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chatapp.core.text import is_wide
from chatapp.knowledge.search.vectors import pack, unpack

_LETTER = re.compile(r"[^\W\d_]")
_CHINESE_OR_LATIN = re.compile(
    r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
MEAN_SHARE = 0.5  # of the mean question that is subtracted; measured


@dataclass(frozen=True, slots=True)
class Cosines:
    """From which similarity on a passage may answer a question, by their languages."""

    latin: float
    chinese: float
    chinese_on_latin: float
    latin_on_chinese: float

    def least(self, asked_wide: bool, written_wide: bool) -> float:
        """Return the least cosine for a question and a passage; wide is Chinese."""
        if asked_wide:
            return self.chinese if written_wide else self.chinese_on_latin
        return self.latin_on_chinese if written_wide else self.latin


class QuestionMeans:
    """Takes half of what all questions have in common out of a question's vector.

    Without that, a question is nearest to passages that look like a question, or like anything, and
    in its own language. Between two languages, this finds 2 to 6 % more, within one up to half a
    percent less (docs/measurements.md).
    """

    def __init__(self, folder: Path) -> None:
        means = (folder / "questions.bin").read_bytes()
        half = len(means) // 2
        self._latin, self._chinese = unpack(means[:half]), unpack(means[half:])

    def without(self, question: str, vector: bytes) -> bytes:
        """Return the vector of a question without half of the mean of its language."""
        mean = self._chinese if is_wide(question) else self._latin
        return pack(
            [one - MEAN_SHARE * other for one, other in zip(unpack(vector), mean, strict=True)]
        )


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a model.

    `share` is the weight (0..1) of its ranking, `prefixes` go before questions and passages,
    `reads` returns whether its vectors of a text are useful, and `cosines` are None where they were
    not measured. With `has_means`, its folder has the mean vectors of questions.
    """

    share: float
    prefixes: tuple[str, str] = ("", "")
    reads: Callable[[str], bool] = lambda text: True
    cosines: Cosines | None = None
    has_means: bool = False


def is_chinese_or_latin(text: str) -> bool:
    """Return whether two thirds of a text's letters are Chinese or Latin; False without any letter
    or digit, since the vector of rules or brackets says nothing.

    Half of the letters of Japanese are Chinese characters.
    """
    if not any(map(str.isalnum, text)):
        return False
    if text.isascii():
        return True
    return 3 * len(_CHINESE_OR_LATIN.findall(text)) >= 2 * len(_LETTER.findall(text))


BUILT_IN = {
    # Its vocabulary is cut to these two scripts.
    "multilingual-e5-small": Traits(
        0.65,
        ("query: ", "passage: "),
        is_chinese_or_latin,
        Cosines(latin=0.688, chinese=0.765, chinese_on_latin=0.665, latin_on_chinese=0.590),
        has_means=True,
    ),
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
