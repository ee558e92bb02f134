"""The built-in model: answers with the sentences that answer, quoted and cited. No key, no network, nothing made up.

A sentence is worth the share of the question's words that it holds, by their rarity among all sentences at hand, and a part
of what its passage is worth. Whether the passages fit at all is told by the best one's score, in which 0 is chance
(retrieve.py): at these thresholds 85 to 95 % of the questions about something else are declined, and about as many of those
that have an answer get through, in bases of 10 to 1,500 chunks (CMRC2018 and SQuAD, whole articles left out).
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import Runnable, RunnableConfig

from chatapp import offload
from chatapp.core.prompt import Passage, Prompt, estimate_tokens
from chatapp.core.text import coverage, query_tokens, sentences
from chatapp.stems import stem

FITS = 0.22  # the least score of the best passage,
FITS_PAIRS = 0.06  # and where the question is made of CJK pairs, some of which are never in any text
MOST_SENTENCES = 3
MOST_CHARACTERS = 700  # of one sentence; what has no full stops is cut there
OF_PASSAGE = 0.6  # how much its passage's worth adds to a sentence's
NUMBERED = 0.1  # what a figure adds where the question asks for one
WORTH_SAYING = 0.6  # of the best sentence's worth is the least of a further one
NEAREST = 2  # passages shown where nothing fits

Streamed: TypeAlias = str | AIMessageChunk

WORDS = {
    "en": {
        "no_documents": "I am the built-in model and only quote from documents; no knowledge base is chosen for this chat. "
        "Add documents to ask about them, or connect a model to talk about anything.",
        "nothing": "I found nothing about this in the documents.",
        "nearest": "The documents do not seem to answer this. The nearest passages say:",
    },
    "zh-CN": {
        "no_documents": "我是内置模型，只会引用文档中的原文，而本会话没有选择知识库。"
        "请添加文档后再提问，或者连接一个模型来畅聊任何话题。",
        "nothing": "文档中没有找到与此相关的内容。",
        "nearest": "文档似乎没有回答这个问题。最接近的内容是：",
    },
}

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_FIGURE = re.compile("[0-9０-９一二三四五六七八九十百千万亿两]")
_ASKS_FIGURE = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|big|large|tall|high)|when|"
    r"wh(?:at|ich) (?:year|date|day|time|century|percentage|number))\b"
    r"|多少|几|哪一?[年月日天]|什么时候|何时|多[久长大高远]|何年",
    re.IGNORECASE,
)
_BLOCK_MARK = re.compile(r"^(?:#{1,6}\s+|>\s*|[-*+•]\s+|\|\s*)+")
# What is typed at a time: up to three characters of scripts without blanks, or a word.
_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\uffef"
_TYPED = re.compile(f"\\s*(?:[{_WIDE}]{{1,3}}|[^\\s{_WIDE}]+)")


@dataclass(frozen=True, slots=True)
class _Sentence:
    number: int
    text: str
    tokens: frozenset[str]


class Extractive(Runnable[Prompt, Streamed]):
    """A model as the chains take it: a Runnable over a Prompt."""

    def invoke(self, input: Prompt, config: RunnableConfig | None = None, **kwargs: Any) -> Streamed:
        """Return the whole answer as one message."""
        text = answer(input)
        return AIMessageChunk(content=text, response_metadata={"finish_reason": "stop"}, usage_metadata=_usage(input, text))

    def stream(self, input: Prompt, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Streamed]:
        """Yield the answer a few words at a time, then how it ended."""
        text = _rest(offload.run(lambda: answer(input)), input)  # 1 to 25 ms
        for found in _TYPED.finditer(text):
            yield found.group()
        yield AIMessageChunk(content="", response_metadata={"finish_reason": "stop"}, usage_metadata=_usage(input, text))


def answer(prompt: Prompt) -> str:
    """Return the answer: at most three cited sentences, or in the question's language why there are none."""
    words = WORDS["zh-CN" if _HAN.search(prompt.question) else "en"]
    if not prompt.grounded:
        return words["no_documents"]
    if not prompt.passages:
        return words["nothing"]
    if not fits(prompt.question, prompt.passages):
        nearest = enumerate(prompt.passages[:NEAREST], 1)
        quotes = ["> " + _cite(_plain(passage.quote or passage.text), number) for number, passage in nearest]
        return "\n\n".join([words["nearest"], *quotes])
    chosen = choose_sentences(prompt.question, prompt.passages)
    return " ".join(_cite(text, number) for number, text in chosen) or words["nothing"]


def fits(question: str, passages: Sequence[Passage]) -> bool:
    """Say whether the passages are about the question at all."""
    least = FITS_PAIRS if _HAN.search(question) else FITS
    return max((passage.score for passage in passages), default=0.0) >= least


def _cite(text: str, number: int) -> str:
    return f"{text}[{number}]" if _HAN.search(text) else f"{text} [{number}]"


def choose_sentences(question: str, passages: Sequence[Passage]) -> list[tuple[int, str]]:
    """Return (passage number, sentence) of the sentences that answer best, best first."""
    said = _sentences(passages)
    weights = _weights(query_tokens(question, stem), said)
    passage_worth = {number: coverage(weights, query_tokens(passage.text, stem)) for number, passage in enumerate(passages, 1)}
    asks_figure = bool(_ASKS_FIGURE.search(question))
    worth = [
        coverage(weights, sentence.tokens)
        + OF_PASSAGE * passage_worth[sentence.number]
        + (NUMBERED if asks_figure and _FIGURE.search(sentence.text) else 0.0)
        for sentence in said
    ]
    order = sorted(range(len(said)), key=lambda i: (-worth[i], i))
    asked = weights.keys()
    chosen: list[_Sentence] = []
    for sentence in (said[i] for i in order if worth[i] >= WORTH_SAYING * worth[order[0]]):
        if len(chosen) < MOST_SENTENCES and not (chosen and _says_less(sentence, chosen[0], asked)):
            chosen.append(sentence)
    return [(sentence.number, sentence.text) for sentence in chosen]


def _says_less(sentence: _Sentence, best: _Sentence, asked: Set[str]) -> bool:
    """Say whether a sentence holds only part of what the best one does: mostly the like about another thing."""
    return sentence.tokens & asked < best.tokens & asked


def _sentences(passages: Sequence[Passage]) -> list[_Sentence]:
    """Return all different sentences of the passages, each with the number of the first passage that has it."""
    found: dict[str, _Sentence] = {}
    for number, passage in enumerate(passages, 1):
        for span in sentences(passage.text):
            text = _plain(passage.text[span.start : span.end])
            if text and text not in found:
                found[text] = _Sentence(number, text, frozenset(query_tokens(text, stem)))
    return list(found.values())


def _weights(asked: Sequence[str], said: Sequence[_Sentence]) -> Mapping[str, float]:
    """Weigh the question's tokens by how rare they are among these sentences."""
    frequencies = Counter(token for sentence in said for token in sentence.tokens)
    total = len(said)
    return {token: math.log(1 + (total - frequencies[token] + 0.5) / (frequencies[token] + 0.5)) for token in set(asked)}


def _plain(text: str) -> str:
    """Return a quotation in one line, without marks that would make it a heading or a list, and not endless."""
    text = _BLOCK_MARK.sub("", " ".join(text.split()))
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS].rstrip() + "…"


def _rest(text: str, prompt: Prompt) -> str:
    """Return what follows the part that was given before, when an answer is continued."""
    if len(prompt.turns) >= 3 and prompt.turns[-2].role == "assistant" and prompt.turns[-3].content.endswith(prompt.question):
        return text.removeprefix(prompt.turns[-2].content)
    return text


def _usage(prompt: Prompt, text: str) -> UsageMetadata:
    read = sum(estimate_tokens(turn.content) for turn in prompt.turns)
    written = estimate_tokens(text)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
