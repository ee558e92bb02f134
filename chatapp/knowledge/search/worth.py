"""How well passages answer a question, by words and by meaning: what declining is decided by.

By words: the share of the question that a passage and one of its sentences cover, where 0 is what
chance covers in a base of that size. By meaning: how far a cosine is above the least one at which
words as usual are enough. Between two languages there are no words to go by: there the cosine alone
decides, and half of the questions that a text does not answer are answered all the same. Measured
on XQuAD with the paragraph left out, see docs/measurements.md.
"""

from chatapp.core.fitting import least_score
from chatapp.core.text import is_wide
from chatapp.knowledge.built_in import Cosines

MEANING_WEIGHT = 3.0
LETTERS = 0.5  # the share of letters in a text; tables of numbers have fewer


def by_words(covered: float, chance: float) -> float:
    """Return the share (0..1) of a question that is covered beyond chance."""
    return max(0.0, (covered - chance) / (1 - chance))


def worth(
    question: str, text: str, words: float, cosine: float | None, cosines: Cosines | None
) -> float:
    """Return how well a passage answers a question (0..1); `words` is what `by_words` returns."""
    if cosine is None or cosines is None:
        return words
    asked = is_wide(question)
    written = is_wide(text) if _has_language(text) else asked
    beyond = MEANING_WEIGHT * (cosine - cosines.least(asked, written))
    if asked != written:
        words += least_score(question)
    return min(1.0, max(0.0, words + beyond))


def _has_language(text: str) -> bool:
    return sum(map(str.isalpha, text)) > LETTERS * len(text)
