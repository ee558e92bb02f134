"""Recognise pages of a file, in a child process with limits (sandboxed.py):

    python -m chatapp.knowledge.recognition.process FILE MODELS SHARE PAGE_SECONDS

Each line on stdin is the number of a page, from 1; each line on stdout is the answer, in JSON:
text, lines and turned, as the table of recognised pages keeps them, or unreadable, a reason. A page
that takes more than PAGE_SECONDS of CPU time ends the process. After each piece of work it sleeps,
so that it uses SHARE percent of one core. It may be killed at any moment, and must not use the
database.
"""

import json
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chatapp.knowledge.formats.document import Unreadable
from chatapp.knowledge.recognition.pictures import Pages, open_pages
from chatapp.knowledge.recognition.recogniser import Page, Recogniser


class Pace:
    """Sleeps as long as a share of one core asks for."""

    def __init__(self, percent: int) -> None:
        self._idle = (100 - percent) / percent  # seconds of sleep for a second of work
        self._worked = time.process_time()

    def rest(self) -> None:
        """Sleep for the work since the last call."""
        worked = time.process_time()
        if self._idle:
            time.sleep((worked - self._worked) * self._idle)
        self._worked = worked


def main(arguments: list[str]) -> int:
    """Answer for the pages that stdin names, until it ends."""
    path, models, share, seconds = arguments
    pace = Pace(int(share))
    recogniser = Recogniser(Path(models), pace.rest)
    with ExitStack() as stack:
        pages: Pages | None = None
        for line in sys.stdin:
            signal.setitimer(signal.ITIMER_PROF, float(seconds))
            try:
                pages = pages or stack.enter_context(open_pages(Path(path)))
                answer = _answer(recogniser, pages, int(line))
            except Unreadable as fault:
                answer = {"unreadable": fault.reason}
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 0


def _answer(recogniser: Recogniser, pages: Pages, number: int) -> dict[str, Any]:
    try:
        return to_json(recogniser.read(pages.picture(number - 1)))
    except Unreadable:
        raise
    except MemoryError:
        return {"unreadable": "limits"}
    except Exception as fault:
        traceback.print_exc()
        # onnxruntime reports in an error of its own that it gets no memory
        return {"unreadable": "limits" if "bad_alloc" in str(fault) else "damaged"}


def to_json(page: Page) -> dict[str, Any]:
    """Return a page as it is stored."""
    lines = [[line.start, line.end, *line.box] for line in page.lines]
    return {"text": page.text, "lines": lines, "turned": page.turned}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
