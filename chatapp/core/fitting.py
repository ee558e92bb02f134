"""From which score of the best passage on the passages answer a question.

The score is 0 where a passage covers no more of the question's words than chance does
(knowledge/search/worth.py). Pairs of Chinese characters are in texts less often than words are.
"""

import re
from collections.abc import Sequence

from chatapp.core.prompt import Passage

WORDS, PAIRS = 0.22, 0.06
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


def least_score(question: str) -> float:
    """Return the lowest score of a passage that answers a question."""
    return PAIRS if _HAN.search(question) else WORDS


def fits(question: str, passages: Sequence[Passage]) -> bool:
    """Return whether the passages are about the question."""
    return max((passage.score for passage in passages), default=0.0) >= least_score(question)
