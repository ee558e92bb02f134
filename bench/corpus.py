"""`make corpus DIR`: read every file of a folder as the product does, and print what came of it.

Each file is uploaded to a knowledge base of its own in a temporary home, then read, split and
indexed by the product's own steps; its parser runs in the limited child process, and the text of
pictures is recognised as configured. No embedding model is used, and no network. For each file a
line: what was read, in how much CPU time and memory of these processes; below it what failed, in
the words that users see, and what the parser has logged.

If the folder holds `index.json`, `{name: {"source": …, "words": […]}}`, the words are looked for in
the text of the file, and the share that was found is printed at the end.
"""

import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatapp.errors import ChatAppError
from chatapp.i18n import say
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.formats.document import Document
from chatapp.knowledge.ingest.jobs import RECOGNISING, Job, error_json
from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.ingest.recognising import Recognising, are_recognised
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.knowledge.ingest.splitting import Splitter
from chatapp.knowledge.recognition.available import why_not
from chatapp.knowledge.recognition.machine import Machine
from chatapp.knowledge.search.lexical import create_index, index_for
from chatapp.settings import OFF, Settings, terminal_language
from chatapp.storage.database import open_database
from chatapp.storage.models import Base, File, User
from chatapp.storage.text_models import FileText

INDEX = "index.json"
OWNER = "corpus"
UNSUPPORTED = "unsupported_file"
KB = 1024
MAX_MISSING = 12  # words that are named in a file's line
END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
COLUMNS = ("  CPU s", "   MB", "    chars", "pages", "chunks", "left out", "  words", " file")


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one file. `peak_mb` is the parser's largest memory, as far as it was seen."""

    name: str
    status: str
    kind: str
    text: str
    pages: int
    chunks: int
    skipped: int
    cpu_seconds: float
    peak_mb: float
    error: Mapping[str, Any] | None
    logged: tuple[str, ...]

    @property
    def is_of_a_kind_that_is_read(self) -> bool:
        """Whether the product reads files of this kind."""
        return self.error is None or self.error["code"] != UNSUPPORTED


class Corpus:
    """A temporary home in which files are read one after the other."""

    def __init__(self, settings: Settings) -> None:
        with ExitStack() as stack:
            home = Path(tempfile.mkdtemp(prefix="chatapp-corpus-"))
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            settings = replace(settings, home=home, database_url="", chroma_url="", embedder=OFF)
            self._database = open_database(settings.sql_url)
            stack.callback(self._database.close)
            Base.metadata.create_all(self._database.engine)
            self._database.write(lambda t: create_index(t.connection()))
            self._user = self._database.write(_add_user)
            self._knowledge = Knowledge(self._database, settings)
            self._peak_kb = 0
            index, originals = index_for(self._database.sqlite), self._knowledge.originals
            self._ingest = Ingest(
                self._database,
                index,
                originals,
                lambda path, name, beat, _charset="": self._parse(path, name, settings),
                why_not=partial(why_not, settings),
            )
            self._recognising = Recognising(
                self._database,
                index,
                originals,
                Splitter(None),
                Machine.of(settings),
                lambda: False,
                self._ingest.following,
            )
            stack.callback(self._recognising.pause)
            self._logged = _Messages()
            logging.getLogger("chatapp").addHandler(self._logged)
            stack.callback(logging.getLogger("chatapp").removeHandler, self._logged)
            self._stack = stack.pop_all()

    def __enter__(self) -> "Corpus":
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the home."""
        self._stack.close()

    def read(self, path: Path) -> Reading:
        """Read one file to its end."""
        self._peak_kb, self._logged.lines = 0, []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        base = self._knowledge.create(self._user, path.name)["id"]
        error: Mapping[str, Any] | None = None
        try:
            with open(path, "rb") as stream:
                self._knowledge.add_file(self._user, base, path.name, stream)
        except ChatAppError as fault:
            error = error_json(fault)
        while error is None and (job := self._claim()) is not None:
            (self._recognising.run if job.step == RECOGNISING else self._ingest.read)(job)
        self._recognising.pause()  # its process counts for this file
        files = self._knowledge.files(self._user, base)[0]
        texts = self._database.read(lambda t: _texts(t, base))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child begins as a copy
        if after.ru_maxrss > max(own, before.ru_maxrss):  # of all children so far
            self._peak_kb = max(self._peak_kb, after.ru_maxrss)
        first = files[0] if files else {}
        return Reading(
            name=path.name,
            status=str(first.get("status", "refused")),
            kind=str(first.get("media_type", "")),
            text="\n".join(texts),
            pages=sum(one["pages"] or 0 for one in files),
            chunks=sum(one["chunks"] for one in files),
            skipped=sum(one["skipped"] for one in files),
            cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            peak_mb=self._peak_kb / KB,
            error=error or first.get("error"),
            logged=tuple(self._logged.lines),
        )

    def _claim(self) -> Job | None:
        recognises = self._database.read(are_recognised) and self._recognising.may_begin()
        return self._ingest.claim(OWNER, recognises)

    def _parse(self, path: Path, name: str, settings: Settings) -> Document:
        return parse_limited(path, name, settings, self._look)

    def _look(self) -> None:
        """Keep the largest memory of this process's children."""
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in children:
                status = Path(f"/proc/{child}/status").read_text()
                peak = next(row for row in status.splitlines() if row.startswith("VmHWM"))
                self._peak_kb = max(self._peak_kb, int(peak.split()[1]))
        except (OSError, StopIteration):  # the child has just ended, or this is not Linux
            return


class _Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _add_user(t: Session) -> str:
    user = User(name=OWNER)
    t.add(user)
    t.flush()
    return user.id


def _texts(t: Session, base: str) -> list[str]:
    of_base = select(FileText.text).join(File, File.id == FileText.file_id)
    return list(t.scalars(of_base.where(File.knowledge_base_id == base).order_by(File.name)))


def missing_words(text: str, words: Iterable[str]) -> list[str]:
    """Return the words that the text does not contain, in any case or width."""
    folded = _folded(text)
    return [word for word in words if _folded(word) not in folded]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass
class Tally:
    """How many words were named, and how many of them found."""

    named: int = 0
    found: int = 0

    def add(self, named: int, found: int) -> None:
        """Count the words of a file."""
        self.named += named
        self.found += found

    def __str__(self) -> str:
        share = 100 * self.found / self.named if self.named else 0
        return f"{self.found:,} of {self.named:,} words ({share:.2f} %)"


def report(paths: Sequence[Path], index: Mapping[str, Any], corpus: Corpus) -> None:
    """Read the files and print a line for each as it is read, then the totals."""
    all_files, readable = Tally(), Tally()
    faults: Counter[str] = Counter()
    print(*COLUMNS, flush=True)
    for path in paths:
        words = index.get(path.name, {}).get("words", [])
        reading = corpus.read(path)
        missing = missing_words(reading.text, words)
        all_files.add(len(words), len(words) - len(missing))
        if reading.is_of_a_kind_that_is_read:
            readable.add(len(words), len(words) - len(missing))
        faults[_fault(reading)] += 1
        print("\n".join(_lines(reading, words, missing)), flush=True)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in faults.most_common())
    print(f"\n{len(paths):,} files: {outcomes}")
    if index:
        print(f"Found {readable} in files of kinds that are read, {all_files} in all files.")


def _fault(reading: Reading) -> str:
    return reading.status if reading.error is None else str(reading.error["key"])


def _lines(reading: Reading, words: Sequence[str], missing: Sequence[str]) -> list[str]:
    found = f"{len(words) - len(missing)}/{len(words)}" if words else ""
    lines = [
        f"{reading.cpu_seconds:7.2f} {reading.peak_mb:5.0f} {len(reading.text):9,}"
        f" {reading.pages or '':>5} {reading.chunks:6,} {reading.skipped or '':>8} {found:>7}"
        f"  {reading.name}"
    ]
    if reading.error is None:
        lines.append(f"{reading.status}: {reading.kind}")
    else:
        sentence = say(terminal_language(), str(reading.error["key"]), reading.error["params"])
        lines.append(f"{reading.status}: {sentence} [{reading.error['key']}]")
    lines += [f"logged: {line}" for line in reading.logged]
    if missing and len(missing) < len(words):
        more = f" … and {len(missing) - MAX_MISSING}" if len(missing) > MAX_MISSING else ""
        lines.append(f"missing: {' '.join(missing[:MAX_MISSING])}{more}")
    return [lines[0], *(f"        {line}" for line in lines[1:])]


def main(arguments: Sequence[str]) -> int:
    """Read the files of the folder that the argument names, or those named after it."""
    folder = Path(arguments[0]) if arguments else None
    if folder is None or not folder.is_dir():
        print('Name a folder: make corpus DIR [NAMES="name …"]', file=sys.stderr)
        return 2
    index_file = folder / INDEX
    index = json.loads(index_file.read_text("utf-8")) if index_file.is_file() else {}
    wanted = set(arguments[1:])
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != index_file and (not wanted or path.name in wanted)
    ]
    for number in END_SIGNALS:  # also deletes the temporary home
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        with Corpus(Settings.from_env()) as corpus:
            report(paths, index, corpus)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    logging.basicConfig(handlers=[logging.NullHandler()])
    sys.exit(main(sys.argv[1:]))
