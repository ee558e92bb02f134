"""Parse a file into a Document, by the table in formats/registry.py. Runs in a child process:

    python -m chatapp.knowledge.ingest.parse FILE NAME MAX_PAGES [CHARSET]    prints a line of JSON

Parsers leak, hang and crash. `sandbox.py` starts this process with limits of time and memory, and
it may be killed at any moment, so it must not use the database. Imports are kept few.
"""

import errno
import json
import sys
import traceback
from pathlib import Path

from chatapp.knowledge.formats.document import Document, Unreadable, unreadable
from chatapp.knowledge.formats.faults import cannot_be_opened, is_of_the_machine
from chatapp.knowledge.formats.members import Members
from chatapp.knowledge.formats.refused import refusal_reason
from chatapp.knowledge.formats.registry import BINARY_FORMATS, TEXT_FORMATS, find_and_read
from chatapp.knowledge.formats.source import SourceFile

# Exit statuses that are no verdict on the file's content. Python itself uses 1 and 2.
OUTPUT_FULL = 3  # the document does not fit into the child's limits of output and memory
MACHINE = 4  # the machine or the installation failed, not the file


def parse(path: Path, name: str, max_pages: int, charset: str = "") -> Document:
    """Read a file of any format; raise Unreadable with the reason.

    `charset` is used for a text that does not name its own.
    """

    def read(path: Path, name: str, members: Members) -> Document:
        return _read(SourceFile(path, name, max_pages, members))

    return _read(SourceFile(path, name, max_pages, Members(read), charset))


def _read(file: SourceFile) -> Document:
    if not file.head:
        raise Unreadable("empty")
    if document := find_and_read(BINARY_FORMATS, file):
        return document
    if reason := refusal_reason(file):
        raise Unreadable(reason)
    document = find_and_read(TEXT_FORMATS, file)
    assert document is not None  # the last row reads any text
    return document


def main(arguments: list[str]) -> int:
    """Parse the file that the arguments name, print the outcome and return the exit status."""
    try:
        return _print_outcome(arguments)
    except MemoryError:  # also while another was handled
        return OUTPUT_FULL


def _print_outcome(arguments: list[str]) -> int:
    path, name, max_pages, charset = [*arguments, ""][:4]
    try:
        document = parse(Path(path), name, int(max_pages), charset)
        output = json.dumps({"document": document.to_json()}, ensure_ascii=False)
    except Exception as fault:
        reason = unreadable(fault)
        if reason.reason == "damaged":
            if cannot_be_opened(fault, path):
                reason = Unreadable("missing")
            elif not isinstance(fault, Unreadable):  # maybe a reader's own bug, for the log
                traceback.print_exc()
                if is_of_the_machine(fault):
                    return MACHINE
        output = json.dumps({"unreadable": {"reason": reason.reason, "params": reason.params}})
    try:
        sys.stdout.write(output)
        sys.stdout.flush()
    except OSError as fault:
        return OUTPUT_FULL if fault.errno == errno.EFBIG else MACHINE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
