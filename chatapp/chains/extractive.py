"""The built-in model: answers with cited quotes from the passages. Needs no key and no network.

A sentence's score is the share of the question's words in it plus the relevance of its passage.
Headings are never quoted, but their words count for the sentences below them (core/quoting.py).
After the best sentence, those are quoted that add most of the question's words. Whether the
passages fit the question at all is decided by the best passage's score (core/fitting.py).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from chatapp.chains.small_talk import is_small_talk
from chatapp.core.chinese import simplified
from chatapp.core.fitting import fits
from chatapp.core.inline_marks import without_marks
from chatapp.core.prompt import Passage, Prompt, estimate_tokens
from chatapp.core.quoting import Sentence, read_sentences
from chatapp.core.text import HEADING_JOINT, query_tokens, small_words
from chatapp.stems import stem
from chatapp.storage import threads

MAX_SENTENCES = 3
MAX_CHARACTERS = 700  # of one sentence; text without full stops is cut there
LONGEST_READ = 4 * MAX_CHARACTERS  # marks and addresses included
NUMBER_BONUS = 0.1  # for a sentence with a number where the question asks for one
MIN_SHARE = 0.5  # of the best sentence's score, for a further sentence
NEXT_BONUS = 0.1  # for a further sentence just below a quoted one
MEANING_WEIGHT = 1.0  # of a sentence's similarity to the question
MEANING_GAIN = 0.3  # the same, for a further sentence
MAX_COMPARED = 48  # sentences that are compared with the question
COMPARED_CHARACTERS = 300  # of each, at most
EARLIER_SHARE = 0.5  # of the words of the questions before a follow-up, beside its own
CODE_SHARE = 0.5  # of the words in code, where no code was asked for
SCORE_SHARE = 0.1  # weight of a further sentence's own score beside what it adds
NEAREST = 2  # passages shown where nothing fits
GREETING_TOKENS = 6  # at most

Streamed: TypeAlias = str | AIMessageChunk
# Returns the similarity of a question to each of some texts, None where they cannot be compared.
Similar: TypeAlias = Callable[[str, Sequence[str]], Sequence[float] | None]

WORDS = {
    "en": {
        "no_documents": "I am the built-in model and only quote from documents; no knowledge base "
        "is chosen for this chat. Add documents to ask about them, or connect a model to talk "
        "about anything.",
        "small_talk": "I am the built-in model and only quote from documents.",
        "nothing": "I found nothing about this in the documents.",
        "advice": " Ask about their content, or connect a model to talk about anything.",
        "nearest": "The documents do not seem to answer this. The nearest passages say:",
        "pictures": "I am the built-in model and cannot see pictures. Connect a model that sees, "
        "then ask it again.",
        "unread": "Not read yet, so not part of this answer: {files}.",
        "and": ", ",
    },
    "zh-CN": {
        "no_documents": "我是内置模型，只引用文档原文，而当前对话没有选择知识库。"
        "请添加文档后再提问，或者连接模型畅聊任何话题。",
        "small_talk": "我是内置模型，只引用文档原文。",
        "nothing": "文档中没有找到相关内容。",
        "advice": "可以就文档内容提问，或者连接模型畅聊任何话题。",
        "nearest": "文档中似乎没有这个问题的答案。最接近的内容如下：",
        "pictures": "我是内置模型，看不到图片。请连接能识别图片的模型后再提问。",
        "unread": "以下文件尚未读完，本次回答未参考：{files}。",
        "and": "、",
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
_ASKS_CODE = re.compile(
    r"\b(?:code|commands?|scripts?|syntax|snippets?|examples?|config\w*|curl|sql|install\w*|run|call"
    r"|query|json|ya?ml|api|headers?)\b|代码|命令|脚本|语法|示例|例子|配置|安装|调用|接口|怎么写|如何写",
    re.IGNORECASE,
)
_BLOCK_MARK = re.compile(r"^(?:#{1,6}\s+|>\s*|[-*+•]\s+|\|\s*)+")
_NUMBER_MARK = re.compile(r"^\d{1,3}[.)]\s+")
# Streamed at a time: up to three characters of scripts without blanks, or a word.
_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\uffef"
_WIDE_BREAK = re.compile(f"(?<=[{_WIDE}])[ \\t]*\n[ \\t]*(?=[{_WIDE}])")
_TYPED = re.compile(f"\\s*(?:[{_WIDE}]{{1,3}}|[^\\s{_WIDE}]+)")


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A sentence that may be quoted.

    `number` and `place` say where it is; `fit` (0..1) is the relevance of its passage, `covers`
    (0..1) its share of the question's words, `meaning` (0..1) its similarity to the question beside
    the other candidates.
    """

    number: int
    place: int
    text: str
    sentence: Sentence
    begins_paragraph: bool
    fit: float
    covers: float
    figure: float
    meaning: float = 0.0

    @property
    def score(self) -> float:
        return self.covers + self.fit + self.figure + MEANING_WEIGHT * self.meaning


class Extractive:
    """The built-in model, with the interface of all models (messages.py).

    `similar` compares a question with sentences; None compares words only.
    """

    def __init__(self, similar: Similar | None = None) -> None:
        self._similar = similar

    def stream_text(self, prompt: Prompt) -> Iterator[Streamed]:
        """Yield the answer a few words at a time, then how it ended."""
        candidates = threads.run(lambda: _candidates(prompt))  # 1 to 25 ms
        candidates = _by_meaning(prompt, candidates, self._similar)
        text = threads.run(lambda: _compose(prompt, candidates)).removeprefix(prompt.partial)
        for found in _TYPED.finditer(text):
            yield found.group()
        yield AIMessageChunk(
            content="",
            response_metadata={"finish_reason": "stop"},
            usage_metadata=_usage(prompt, text),
        )


def answer(prompt: Prompt, similar: Similar | None = None) -> str:
    """Return the answer: up to three cited sentences, or the reason, in the question's language."""
    return _compose(prompt, _by_meaning(prompt, _candidates(prompt), similar))


def _candidates(prompt: Prompt) -> list[_Candidate]:
    """Return the sentences that may be quoted, none where the passages do not fit."""
    if is_small_talk(prompt.question) or not fits(prompt.question, prompt.passages):
        return []
    return _sentences(prompt.question, prompt.passages, _asked(prompt))


def _asked(prompt: Prompt) -> dict[str, float]:
    """Return the words that were searched for with their weights, less for earlier questions."""
    earlier = query_tokens(prompt.query.removesuffix(prompt.question), stem)
    own = query_tokens(prompt.question, stem)
    if not own and not earlier:
        own = small_words(prompt.question, stem)
    weights = dict.fromkeys(earlier, EARLIER_SHARE / max(len(earlier), 1))
    return weights | dict.fromkeys(own, 1.0 / max(len(own), 1))


def _by_meaning(
    prompt: Prompt, candidates: list[_Candidate], similar: Similar | None
) -> list[_Candidate]:
    """Return the candidates with their similarity to the question, if they can be compared."""
    compared = candidates[:MAX_COMPARED]
    if similar is None or len(compared) < 2:
        return candidates
    texts = [_with_heading(prompt.passages[one.number - 1], one.text) for one in compared]
    cosines = similar(prompt.query or prompt.question, texts)
    if cosines is None:
        return candidates
    low, high = min(cosines), max(cosines)
    span = (high - low) or 1.0
    meant = [
        replace(one, meaning=(cosine - low) / span)
        for one, cosine in zip(compared, cosines, strict=True)
    ]
    return meant + candidates[MAX_COMPARED:]


def _with_heading(passage: Passage, text: str) -> str:
    title = passage.heading.rpartition(HEADING_JOINT)[2]
    return f"{title}\n{text[:COMPARED_CHARACTERS]}" if title else text[:COMPARED_CHARACTERS]


def _compose(prompt: Prompt, candidates: Sequence[_Candidate]) -> str:
    words = WORDS["zh-CN" if _HAN.search(prompt.question) else "en"]
    text = _answer(prompt, words, candidates)
    if prompt.unseen:
        text = f"{words['pictures']}\n\n{text}" if prompt.grounded else words["pictures"]
    unread = words["unread"].format(files=words["and"].join(prompt.unread))
    return f"{text}\n\n{unread}" if prompt.unread else text


def _answer(prompt: Prompt, words: Mapping[str, str], candidates: Sequence[_Candidate]) -> str:
    if not prompt.grounded:
        return words["no_documents"]
    if is_small_talk(prompt.question):
        return words["small_talk"] + words["advice"]
    if not prompt.passages:
        return words["nothing"] + (
            words["advice"] if estimate_tokens(prompt.question) <= GREETING_TOKENS else ""
        )
    if chosen := _choose(candidates, _asked(prompt)):
        return "\n\n".join(map(_block, _runs(chosen)))
    nearest = enumerate(prompt.passages[:NEAREST], 1)
    quotes = [
        "> " + _cite(_plain(passage.quote or passage.text), number) for number, passage in nearest
    ]
    return "\n\n".join([words["nearest"], *quotes])


def _choose(candidates: Sequence[_Candidate], asked: Mapping[str, float]) -> list[_Candidate]:
    """Return the sentences to quote: the best one, then those that add most."""
    if not candidates:
        return []
    best = max(candidates, key=lambda one: one.score)
    rest = [
        one
        for one in candidates
        if one.score >= MIN_SHARE * best.score and not _is_subset(one, best)
    ]
    chosen: list[_Candidate] = []
    missing = dict(asked)  # of each word: the part that no quoted sentence holds
    total = sum(asked.values()) or 1.0

    def gain(one: _Candidate) -> float:
        added = sum(missing[token] * part for token, part in one.sentence.held.items()) / total
        follows = any(_follows(other, one) for other in chosen)
        return (
            (added + one.figure + MEANING_GAIN * one.meaning) * one.fit
            + SCORE_SHARE * one.score
            + (NEXT_BONUS if follows else 0.0)
        )

    while rest and len(chosen) < MAX_SENTENCES:
        one = max(rest, key=gain) if chosen else best
        rest.remove(one)
        chosen.append(one)
        for token, part in one.sentence.held.items():
            missing[token] *= 1 - part
    return chosen


def _is_subset(one: _Candidate, best: _Candidate) -> bool:
    """Return whether a sentence holds a subset of the best one's words: mostly off the subject."""
    return one.sentence.held.keys() < best.sentence.held.keys()


def _sentences(
    question: str, passages: Sequence[Passage], asked: Mapping[str, float]
) -> list[_Candidate]:
    """Return all different sentences of the passages that may be quoted."""
    top = max(passage.score for passage in passages) or 1.0
    total = sum(asked.values()) or 1.0
    asks_code = bool(_ASKS_CODE.search(question))
    asks_figure = bool(_ASKS_FIGURE.search(simplified(question)))
    found: dict[str, _Candidate] = {}
    for number, passage in enumerate(passages, 1):
        end = 0
        for place, sentence in enumerate(
            read_sentences(passage.text, passage.heading, asked.keys(), stem)
        ):
            span = sentence.span
            text = (_cut if sentence.kind == "code" else _plain)(
                passage.text[span.start : span.end]
            )
            if text and text not in found and sentence.quotable:
                figure = NUMBER_BONUS if asks_figure and _FIGURE.search(simplified(text)) else 0.0
                apart = "\n\n" in passage.text[end : span.start]
                held = sum(asked[token] * part for token, part in sentence.held.items())
                covers = held / total
                if sentence.kind == "code" and not asks_code:
                    covers *= CODE_SHARE
                found[text] = _Candidate(
                    number, place, text, sentence, apart, passage.score / top, covers, figure
                )
            end = span.end
    return list(found.values())


# --- layout -----------------------------------------------------------------------------------


def _runs(chosen: Sequence[_Candidate]) -> list[list[_Candidate]]:
    """Group sentences that follow each other; the group with the best one comes first."""
    runs: list[list[_Candidate]] = []
    for one in sorted(chosen, key=lambda one: (one.number, one.place)):
        if runs and _follows(runs[-1][-1], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return sorted(runs, key=lambda run: min(map(chosen.index, run)))


def _follows(above: _Candidate, below: _Candidate) -> bool:
    """Return whether a sentence follows another in the same paragraph or list."""
    kinds = {above.sentence.kind, below.sentence.kind}
    beside = (above.number, above.place + 1) == (below.number, below.place)
    return beside and (kinds == {"item"} or (kinds == {"text"} and not below.begins_paragraph))


def _block(run: Sequence[_Candidate]) -> str:
    """Return sentences that follow each other as a list, as code, or as a paragraph."""
    kind, number = run[0].sentence.kind, run[0].number
    if kind == "code":
        fence = "````" if "```" in run[0].text else "```"
        return f"{fence}\n{run[0].text}\n{fence}\n[{number}]"
    if kind == "item" and len(run) > 1:
        return "\n".join(
            _cite(one.text if _NUMBER_MARK.match(one.text) else f"- {one.text}", number)
            for one in run
        )
    text = ""
    for one in run:
        text += ("" if not text or _HAN.search(one.text) else " ") + _NUMBER_MARK.sub("", one.text)
    return _cite(text, number)


def _cite(text: str, number: int) -> str:
    return f"{text}[{number}]" if _HAN.search(text) else f"{text} [{number}]"


def _plain(text: str) -> str:
    """Return a quote as prose on one line, without marks, cut to its maximum."""
    line = " ".join(_WIDE_BREAK.sub("", text[:LONGEST_READ]).split())
    return _cut(" ".join(without_marks(_BLOCK_MARK.sub("", line)).split()))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rstrip() + "…"


def _usage(prompt: Prompt, text: str) -> UsageMetadata:
    read = sum(estimate_tokens(turn.content) for turn in prompt.turns)
    written = estimate_tokens(text)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
