"""Follow-up questions: which lean on what was said before, and how the model makes them stand alone."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from chatapp.chains.messages import Model
from chatapp.chains.pieces import pieces
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask, Prompt, Turn
from chatapp.errors import ChatAppError

Leans: TypeAlias = Callable[[str, Sequence[Turn]], bool]
Rewrite: TypeAlias = Callable[[Ask], str]

REWRITE_SECONDS = 3.0
SHORT_WORDS = 3  # a question of so few words, or CJK characters, says too little by itself
SHORT_CHARACTERS = 6
EARLY_WORDS = 5
TURNS = 4
TURN_CHARACTERS = 800
LONGEST = 400  # characters of a rewritten question; what is longer is no question
INSTRUCTION = (
    "Rewrite the user's last question so that it can be understood, and searched for, without the conversation. Replace "
    "pronouns by what they stand for. Keep the language of the question. Do not answer it. Reply with the question only."
)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[A-Za-z0-9'’]+")
_ENGLISH = re.compile(
    r"\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|these|those|ones?|former|latter|same|above|previous(ly)?"
    r"|earlier|else|instead|again|aforementioned|mentioned)\b"
    r"|\bthat\b(?=\s*(?:[?.,;!]|$|(?:is|was|one|does|do|did|mean|means|work|works|apply|applies|case|way|too|also)\b))"
    r"|^\s*(and|but|or|so|then|also|why|how so|(what|how) about|what if|really|go on|continue|more)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?<!其)[它他她]|牠|这|那(?!不勒斯)|該|(?<!应)该|其(?!中|他|它|实|余|次)|此(?!外|致)|上述|上面|前者|后者|前面|刚才|刚刚|之前(提|说|的)"
    r"|^(继续|还有|另外|然后|那么|为什么|为何|怎么说|比如)|呢[??！!。]*$|同样|再(说|讲|详细)|第[一二三四五1-5](点|个|条|种)"
)


def leans_on_history(question: str, history: Sequence[Turn]) -> bool:
    """Say whether a question can hardly be searched for without what was said before it."""
    if not history:
        return False
    characters = len(_CJK.findall(question))
    if characters:
        return (
            characters <= SHORT_CHARACTERS
            and not _WORD.search(question)
            or bool(_CHINESE.search(question))
        )
    pointer = _ENGLISH.search(question)
    # Further back, a pronoun mostly stands for something in the question itself.
    early = pointer is not None and len(_WORD.findall(question[: pointer.start()])) <= EARLY_WORDS
    return early or len(_WORD.findall(question)) <= SHORT_WORDS


@runtime_checkable
class Timed(Protocol):
    """A model that can be given a limit for its whole answer."""

    def within(self, seconds: float) -> Model:
        """Return the model with that limit."""


def rewriter(model: Model, seconds: float = REWRITE_SECONDS) -> Rewrite | None:
    """Make a rewriter of a model; None where its time cannot be limited.

    What fails, takes too long, or returns something that is no question, leaves the question as it was asked.
    """
    if not isinstance(model, Timed):
        return None
    quick = model.within(seconds)

    def rewrite(ask: Ask) -> str:
        turns = [
            Turn(turn.role, turn.content[:TURN_CHARACTERS])
            for turn in ask.history[-TURNS:]
            if turn.role != "system"
        ]
        said = "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)
        text = f"Conversation:\n\n{said}\n\nLast question: {ask.question}"
        prompt = Prompt(ask.question, [Turn("system", INSTRUCTION), Turn("user", text)])
        try:
            found = "".join(
                piece.text
                for piece in pieces(quick.stream_text(prompt))
                if isinstance(piece, Chunk)
            )
        except ChatAppError:
            return ask.question
        return _question(found) or ask.question

    return rewrite


def _question(text: str) -> str:
    lines = [line.strip(" \t\"'“”「」`*") for line in text.strip().splitlines()]
    line = next(filter(None, lines), "")
    return line if len(line) <= LONGEST else ""
