"""How much of a question's wording its paragraph repeats: questions written with the text in view
repeat most of it, questions of people who do not know the text repeat little."""

import math
from collections import Counter
from collections.abc import Sequence

from chatapp.core.ranking import coverage
from chatapp.core.text import index_tokens, query_tokens
from chatapp.knowledge.evaluation.questions import Article
from chatapp.stems import stem


def coverages(articles: Sequence[Article]) -> list[float]:
    """Return for each question the share (0..1) of its words that are in its paragraph.

    Words weigh by their rarity among the paragraphs (idf).
    """
    texts = {name: text for article in articles for name, text in article.files.items()}
    held = {name: frozenset(index_tokens(text, stem)) for name, text in texts.items()}
    frequencies = Counter(token for tokens in held.values() for token in tokens)

    def weight(token: str) -> float:
        frequency = frequencies[token]
        return math.log(1 + (len(held) - frequency + 0.5) / (frequency + 0.5))

    return [
        coverage(
            {token: weight(token) for token in query_tokens(question.text, stem)},
            held[question.file],
        )
        for article in articles
        for question in article.questions
    ]
