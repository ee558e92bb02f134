"""Follow-up questions: detect those that depend on the history, and make a query of them.

A model rewrites the question. Where none can, the questions before it are searched for with it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from chatapp.chains.messages import Model
from chatapp.chains.pieces import pieces
from chatapp.chains.small_talk import is_small_talk
from chatapp.core.chinese import simplified
from chatapp.core.events import Chunk, WasThinking
from chatapp.core.prompt import Ask, Prompt, Turn
from chatapp.errors import ChatAppError

Rewrite: TypeAlias = Callable[[Ask], str]

REWRITE_SECONDS = 3.0
SHORT_WORDS = 3  # a question of at most so many words depends on the history
SHORT_CHARACTERS = 6  # the same for CJK characters
EARLY_WORDS = 5  # before a pronoun that refers to the history
TURNS = 4  # of the history that the model gets
TURN_CHARACTERS = 800
LONGEST = 400  # characters of a rewritten question; a longer reply is not one
JOINED = 3  # questions that are searched for together, at most
INSTRUCTION = (
    "Rewrite the user's last question so that it can be understood, and searched for, without the "
    "conversation. Replace pronouns by what they stand for. Keep the language of the question. Do "
    "not answer it. Reply with the question only."
)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[A-Za-z0-9'’]+")
_ENGLISH = re.compile(
    r"\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|these|those|ones?|former|latter"
    r"|same|above|previous(ly)?|earlier|else|instead|again|aforementioned|mentioned)\b"
    r"|\bthat\b(?=\s*(?:[?.,;!]|$|(?:is|was|one|does|do|did|mean|means|work|works|apply|applies"
    r"|case|way|too|also)\b))"
    r"|^\s*(and|but|or|so|then|also|why|how so|(what|how) about|what if|really|go on|continue"
    r"|more)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?<!其)[它他她]|这|那(?!不勒斯)|(?<!应)该|其(?!中|他|它|实|余|次)|此(?!外|致)|上述|上面|前者|后者|前面|刚才|刚刚|之前(提|说|的)"
    r"|^(继续|还有|另外|然后|那么|为什么|为何|怎么说|比如)|呢[??！!。]*$|同样|再(说|讲|详细)|第[一二三四五1-5](点|个|条|种)"
)


def depends_on_history(question: str, history: Sequence[Turn]) -> bool:
    """Return whether a question can hardly be searched for without its history."""
    if not history or is_small_talk(question):
        return False
    characters = len(_CJK.findall(question))
    if characters:
        return (
            characters <= SHORT_CHARACTERS
            and not _WORD.search(question)
            or bool(_CHINESE.search(simplified(question)))
        )
    pointer = _ENGLISH.search(question)
    # Later in a question, a pronoun mostly refers to the question itself.
    early = pointer is not None and len(_WORD.findall(question[: pointer.start()])) <= EARLY_WORDS
    return early or len(_WORD.findall(question)) <= SHORT_WORDS


def with_previous(question: str, history: Sequence[Turn]) -> str:
    """Return a question that depends on its history with the questions before it, oldest first.

    Those go back to the first that does not depend on others.
    """
    asked = [turn.content for turn in history if turn.role == "user" and turn.content.strip()]
    joined = [question]
    while asked and len(joined) < JOINED:
        joined.insert(0, asked.pop()[:LONGEST])
        if not depends_on_history(joined[0], history):
            break
    return "\n".join(joined)


@runtime_checkable
class TimeLimited(Protocol):
    """A model whose whole answer can be limited in time."""

    @property
    def recently_limited(self) -> bool:
        """Whether its supplier has rate-limited a request in the last ten minutes."""

    def within(self, seconds: float) -> Model:
        """Return the model with that limit."""


def rewriter(model: Model, seconds: float = REWRITE_SECONDS) -> Rewrite | None:
    """Return a rewriter that asks a model; None for a model without `within`.

    None, too, after a rate limit: with few requests a minute, the question itself needs the place.
    A call that fails, takes too long or returns no question leaves the question as it was asked.
    """
    if not isinstance(model, TimeLimited) or model.recently_limited:
        return None
    quick = model.within(seconds)

    def rewrite(ask: Ask) -> str:
        turns = [
            Turn(turn.role, turn.content[:TURN_CHARACTERS])
            for turn in ask.history[-TURNS:]
            if turn.role != "system"
        ]
        conversation = "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)
        text = f"Conversation:\n\n{conversation}\n\nLast question: {ask.question}"
        prompt = Prompt(ask.question, [Turn("system", INSTRUCTION), Turn("user", text)])
        try:
            reply = ""
            for piece in pieces(quick.stream_text(prompt)):
                if isinstance(piece, Chunk):
                    reply += piece.text
                elif isinstance(piece, WasThinking):
                    reply = ""
        except ChatAppError:
            return ask.question
        return _question(reply) or ask.question

    return rewrite


def _question(text: str) -> str:
    lines = [line.strip(" \t\"'“”「」`*") for line in text.strip().splitlines()]
    line = next(filter(None, lines), "")
    return line if len(line) <= LONGEST else ""
