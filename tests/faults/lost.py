"""Rows 24 and 25: readers that stop reading or whose machine is gone.

Their connection is dropped; the answer and other readers continue.
"""

import ctypes
import json
import socket
import struct
import time

from tests.faults.reader import Reader, letters, silent_connection
from tests.faults.rows import row
from tests.faults.stage import LIMITS, Stage
from tests.support.service import wait_for

READER_SECONDS = int(LIMITS["CHATAPP_READER_SECONDS"])
SLACK_SECONDS = 5
RECEIVE_BYTES = 4096
MODEL, LETTERS = "blocks-90-8000-10", 90 * 8000  # nine seconds
SO_ATTACH_FILTER = 26  # linux/asm-generic/socket.h; the socket module has no name for it
# One instruction of classic BPF, "return 0": drop every packet.
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)


def cut_the_cable(reader: socket.socket) -> None:
    """Drop all packets to a socket, so that none is acknowledged: as if its machine lost power."""
    program = ctypes.create_string_buffer(DROP_ALL)
    reader.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program))
    )


def is_held(stage: Stage, port: int) -> bool:
    return any(own == stage.service.port and other == port for _, _, own, other in stage.sockets())


def read_context(raw: socket.socket, lost: Reader) -> None:
    head = ""
    while '"context"' not in head or not head.endswith("\n"):
        head += raw.recv(4096).decode()
    lost.context = json.loads(
        next(line[6:] for line in head.splitlines() if line.startswith("data: "))
    )


def lose(stage: Stage, half_open: bool) -> list[Reader]:
    """Ask, stop reading, and check that the connection is dropped while the answer continues."""
    lost = Reader(stage.service, "lost", llm_config=stage.config(MODEL))
    other = Reader(stage.service, "other", llm_config=stage.patient("typewriter-200-30"))
    with silent_connection(stage.service, lost.body, RECEIVE_BYTES) as raw:
        read_context(raw, lost)
        if half_open:
            cut_the_cable(raw)
        port = raw.getsockname()[1]
        lost.ports.append(port)
        assert is_held(stage, port)
        began = time.monotonic()
        other.ask(letters(60))
        wait_for(
            lambda: not is_held(stage, port),
            "the reader is dropped",
            seconds=READER_SECONDS + SLACK_SECONDS,
        )
        assert time.monotonic() - began > READER_SECONDS / 2, (
            "dropped too early: a phone may be in a tunnel"
        )
        assert stage.writer_of(lost.message_id) is not None, "the answer is still written"
    other.follow()
    assert len(lost.stored(20)["content"]) == LETTERS
    return [lost, other]


@row("24-reader-stops-reading")
def stops_reading(stage: Stage) -> list[Reader]:
    return lose(stage, half_open=False)


@row("25-reader-half-open")
def half_open(stage: Stage) -> list[Reader]:
    return lose(stage, half_open=True)
