"""Whether a streamed answer has ended, as far as its chunks tell.

A finish_reason is an end only while nothing follows it: some suppliers put one on every chunk, some
on the first. Text behind a reason opens the answer again, and from then on the reasons of this
supplier prove nothing where the connection breaks or falls silent.
"""

from chatapp.chains import finish_reasons
from chatapp.chains.finish_reasons import REASON_CHARS, End


class Ending:
    """The finish_reasons of one answer and what has followed them."""

    def __init__(self) -> None:
        self.reason = ""  # the last one that names an end
        self.stands = False  # nothing has followed it
        self._alone = False  # it came without text
        self._proves = False  # it is a known word, and text came with it or before it
        self._reopened = False  # something has followed a reason

    @property
    def sure(self) -> bool:
        """Whether the answer is complete even where the connection breaks now."""
        return self.stands and self._proves and not self._reopened

    @property
    def only_the_tail_follows(self) -> bool:
        """Whether only usage and [DONE] are expected: the reason came by itself, after text."""
        return self.sure and self._alone

    def read(self, reason: object, alone: bool, spoken: bool) -> End:
        """Read the finish_reason of a chunk; `spoken`: the answer has text by now."""
        end = finish_reasons.end(reason)
        if end in (End.KNOWN, End.UNKNOWN):
            self.reason = str(reason)[:REASON_CHARS]
            self.stands = True
            self._alone = alone
            self._proves = spoken and end is End.KNOWN
        return end

    def go_on(self) -> None:
        """Open the answer again: something has followed."""
        self._reopened = self._reopened or self.stands
        self.stands = False
