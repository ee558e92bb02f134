"""Detect repeated text: summaries and cumulative deltas.

Some suppliers send the whole answer once more as the last delta (RAGFlow), and some send the whole
text so far in every delta (DashScope behind relays). A model may repeat itself too, so text is left
out only where nothing else explains it: until that is clear, it is held.
"""

from collections.abc import Mapping
from io import StringIO
from typing import Any

REPEAT_CHARS = 8  # less text than this is never taken for a repetition


class Repeats:
    """The text of one answer. `note` what is said; ask `fresh` for deltas of `least` characters.

    A shorter delta than `least` cannot repeat all that was said before.
    """

    def __init__(self) -> None:
        self.least = 0
        self._said = StringIO()
        self.note = self._said.write
        self._first = ""  # the first delta
        self._held: list[str] = []  # deltas that begin with all that was said before
        self._growing = False  # every delta is the whole text so far
        self._message = ""  # what a whole message has said, which deltas may say again
        self._place = 0  # in the message, up to which they have

    def fresh(self, delta: str) -> str:
        """Return what a delta adds to the text that was noted; it may be held for now."""
        self._first = self._first or delta
        if self._place < len(self._message):
            return self._after_message(delta)
        said = self._said.getvalue()
        if self._growing:
            self._growing = delta.startswith(said)
            new = delta[len(said) :] if self._growing else delta
        elif self._held:
            new = self._after_held(said, delta)
        elif said and delta.startswith(said) and (delta != said or self._is_summary(said)):
            self._held, new = [delta], ""
        else:
            new = delta
        self.least = 0 if self._held or self._growing else len(said) + len(new)
        return new

    def rest(self) -> str:
        """Return what of the deltas that were held is new, now that no more follows."""
        if self._place >= REPEAT_CHARS:
            self._message = ""
        said, last, grows = self._said.getvalue(), "", False
        if self._held:
            last = self._held[-1]
            grows = len(self._held) > 1 and len(last) >= REPEAT_CHARS
        if last and (grows or len(said) >= REPEAT_CHARS):
            self._held = []
            return last[len(said) :]
        return self.let_go()

    def let_go(self) -> str:
        """Return the deltas that were held, as something other than text follows them."""
        held, self._held = self._held, []
        if self._place < len(self._message):
            held = [self._message[: self._place], *held]
            self._message, self._place = "", 0
        return "".join(held)

    def expect(self, message: str) -> None:
        """Leave out deltas that say again what whole messages have said, which only grows."""
        self._message = message
        self.least = 0

    def _is_summary(self, said: str) -> bool:
        """Return whether a delta that equals the text may be its summary, not a word said twice."""
        return said != self._first and len(said) >= REPEAT_CHARS

    def _after_held(self, said: str, delta: str) -> str:
        last = self._held[-1]
        if len(last) > len(said) and delta.startswith(last):
            self._held.append(delta)
            if len(delta) < REPEAT_CHARS:
                return ""
            self._held, self._growing = [], True
            return delta[len(said) :]
        held, self._held = self._held, []
        return "".join([*held, delta])

    def _after_message(self, delta: str) -> str:
        if self._message.startswith(delta, self._place):
            self._place += len(delta)
            return ""
        return self.let_go() + delta


class Messages:
    """Whole messages among the deltas: summaries, or the text so far in each, or nothing else."""

    def __init__(self) -> None:
        self._brought: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The text that messages have brought."""
        return str(self._brought.get("content", ""))

    def new(self, message: Mapping[str, Any], spoken: bool, thought: bool) -> dict[str, Any]:
        """Return the fields of a message with what neither deltas nor messages have brought.

        `spoken` and `thought` tell whether deltas have brought text, and anything else.
        """
        new: dict[str, Any] = {}
        for field, part in message.items():
            before = self._brought.get(field)
            told = spoken if field == "content" else thought and before is None
            if not part or told or part == before:
                continue
            if isinstance(part, str) and isinstance(before, str):
                new[field] = part.removeprefix(before)
                self._brought[field] = part if part.startswith(before) else before + part
            else:
                new[field] = self._brought[field] = part
        return new
