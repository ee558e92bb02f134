"""Random byte streams: suppliers' quirks, mutated, cut anywhere, read by two readers.

    python -m tests.faults.streams --times 500000 [--seed N]

Checked for each stream: nothing but our errors is raised; there is one end, and it is the one that
a plain reading finds; no text is doubled or lost against that reading; it does not matter how the
bytes arrive. One in SOCKET_SHARE is also sent over a socket, framed and packed at random, and ends,
breaks or falls silent.
"""

import json
import random
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chatapp.chains.call import Target
from chatapp.chains.completions import Answer, Completions
from chatapp.chains.http.connection import Route
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.transport import Broken, Transport
from chatapp.chains.http.waiting import Limits
from chatapp.errors import ChatAppError
from tests.faults import report
from tests.faults.report import Report
from tests.support import plain_reading
from tests.support.plain_reading import Reading, read_plainly, text_of
from tests.support.quirk_table import BODIES as QUIRKS
from tests.support.quirks import DONE, chunk, ends, says, sse
from tests.support.rawserver import RawServer
from tests.support.wire import CHAT, answer_of

BODIES = tuple(quirk.sent for quirk in QUIRKS)
EVENTS = tuple(
    event + end
    for body in BODIES
    for end in (b"\n\n", b"\n")
    for event in body.split(b"\n\n")
    if event.strip()
)
JUNK = (
    b": ping\n\n", b"\n", b"\r\n", b"\r", b"data: {}\n\n", b"data: ", b"event: error\n", b"{", b"[",
    b"event: ping\n", b'data: {"error": "x"}\n\n', DONE, ends(), ends("length"), b"\xff", b"}",
    b'data: {"choices": null}\n\n', b"Bad Gateway\n", b"id: 4\n", b"data:\n\n", b'"', b"\\",
    b"data: [DONE]", b"error: gone\n", says("w "), says("w ", "stop"), says("\n", ""), says("数"),
)  # fmt: skip
VALUES = (
    None, "", "x", "stop", 0, 7, 1.5, True, [], {}, ["a"], {"a": "b"}, [None], "null", "error",
)  # fmt: skip
SOCKET_SHARE = 100
SOCKETS = 20  # at once
SILENCE_SECONDS = 5.0  # the limit of a wait where the supplier falls silent
PATIENCE_SECONDS = 120.0
CODINGS = {"": 0, "gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
ENDINGS = {
    "error.upstream_error.cut": plain_reading.CUT,
    "error.upstream_timeout": plain_reading.CUT,
    "error.upstream_protocol": plain_reading.GARBLED,
    "error.upstream_protocol.page": plain_reading.GARBLED,
    "error.upstream_empty": plain_reading.GARBLED,
}


@dataclass
class Stream:
    """A body, the parts in which it arrives, and whether the connection breaks behind it."""

    body: bytes
    parts: list[bytes]
    breaks: bool


def made(chance: random.Random) -> Stream:
    """Return a random stream."""
    body = chance.choice(BODIES)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        body = chance.choice(MUTATIONS)(body, chance)
    return Stream(body, _cut(body, chance), chance.random() < 0.2)


def _cut(body: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.choices(range(len(body) + 1), k=chance.choice((0, 1, 2, 5, 20))))
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def _flip(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]


def _drop(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + body[at + chance.choice((1, 1, 2, 10, 100)) :]


def _double(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    end = at + chance.choice((1, 10, 100))
    return body[:end] + body[at:]


def _end(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _insert(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + chance.choice(JUNK) + body[at:]


def _insert_line(body: bytes, chance: random.Random) -> bytes:
    lines = body.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(JUNK).rstrip(b"\n"))
    return b"\n".join(lines)


def _insert_event(body: bytes, chance: random.Random) -> bytes:
    events = body.split(b"\n\n")
    at = chance.randrange(len(events) + 1)
    return b"\n\n".join([*events[:at], chance.choice(EVENTS).strip(b"\n"), *events[at:]])


def _move_event(body: bytes, chance: random.Random) -> bytes:
    events = body.split(b"\n\n")
    event = events.pop(chance.randrange(len(events)))
    events.insert(chance.randrange(len(events) + 1), event)
    return b"\n\n".join(events)


def _repeat_event(body: bytes, chance: random.Random) -> bytes:
    events = body.split(b"\n\n")
    at = chance.randrange(len(events))
    return b"\n\n".join([*events[: at + 1], *events[at:]])


def _join(body: bytes, chance: random.Random) -> bytes:
    return body + chance.choice(BODIES)


def _line_ends(body: bytes, chance: random.Random) -> bytes:
    return body.replace(*chance.choice(((b"\n", b"\r\n"), (b"\n", b"\r"), (b"\n\n", b"\n"))))


def _value(body: bytes, chance: random.Random) -> bytes:
    """Put another value into the JSON of an event."""
    events = body.split(b"\n\n")
    at = chance.randrange(len(events))
    head, found, data = events[at].partition(b"data: ")
    try:
        value = json.loads(data)
    except ValueError:
        return body
    holder, key = value, None
    while isinstance(holder, dict | list) and holder:
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if chance.random() < 0.3 or not isinstance(holder[key], dict | list) or not holder[key]:
            holder[key] = chance.choice(VALUES)
            break
        holder = holder[key]
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    events[at] = head + found + text.encode(errors="surrogatepass")
    return b"\n\n".join(events)


def _text(body: bytes, chance: random.Random) -> bytes:
    """Add a chunk with text, thinking or a whole message in the middle."""
    word = chance.choice(("a", "ab", "abc", "One ", "One two ", "One two three.", "Hello, ", "\n"))
    event = chance.choice(
        (
            says(word, chance.choice((None, "stop", ""))),
            sse(chunk({"reasoning_content": word})),
            sse({"choices": [{"index": 0, "message": {"role": "assistant", "content": word}}]}),
            sse({"choices": [{"index": chance.randrange(3), "delta": {"content": word}}]}),
        )
    )
    events = body.split(b"\n\n")
    at = chance.randrange(len(events) + 1)
    return b"\n\n".join([*events[:at], event.strip(b"\n"), *events[at:]])


MUTATIONS = (
    _flip, _drop, _double, _end, _insert, _insert_line, _insert_event, _insert_event, _move_event,
    _repeat_event, _join, _line_ends, _value, _value, _value, _text, _text, _text,
)  # fmt: skip


def read(answer: Answer) -> Reading:
    """Read an answer to its one end."""
    found = Reading()
    ends_seen = 0
    try:
        for part in answer.parts:
            if isinstance(part, str):
                found.text += part
                continue
            found.text += text_of(part)
            found.thought += str(part.additional_kwargs.get("reasoning_content") or "")
            ends_seen += part.chunk_position == "last"
        found.end = plain_reading.COMPLETE
    except ChatAppError as error:
        found.end = ENDINGS.get(error.key, plain_reading.ERROR)
    if ends_seen != (found.end == plain_reading.COMPLETE):
        found.end = f"{ends_seen} ends, {found.end}"
    return found


def fault_of(stream: Stream) -> str:
    """Return what is wrong with the reading of a stream, whole and in parts; nothing if all is."""
    end = Broken() if stream.breaks else None
    faults = (
        fault_in(lambda parts=parts: answer_of(parts, end), stream)
        for parts in ([stream.body], stream.parts)
    )
    return next(filter(None, faults), "")


def fault_in(ask: Callable[[], Answer], stream: Stream) -> str:
    """Compare an answer with the plain reading of its stream."""
    plain = read_plainly(stream.body, stream.breaks)
    try:
        found = read(ask())
    except Exception as error:
        return f"{type(error).__name__}: {error} at {stream}"
    if found.end == plain_reading.GARBLED and plain.end == plain_reading.ERROR:
        found.end = plain.end  # an error with status 404 is a wrong address too
    return "" if found == plain else f"{found} instead of {plain} at {stream}"


def fault_over_a_socket(server: RawServer, stream: Stream, chance: random.Random) -> str:
    """Return what is wrong with the reading of a stream that a server sends."""
    silent = stream.breaks and chance.random() < 0.5
    seconds = SILENCE_SECONDS if silent else PATIENCE_SECONDS
    route = Route(f"{server.base_url}/{id(stream)}")
    server.by_path[f"/v1/{id(stream)}/chat/completions"] = _sender(stream, silent, chance)
    limits = Limits(PATIENCE_SECONDS, seconds, seconds, PATIENCE_SECONDS)
    model = Completions(Transport(keep=0), ReadDelay(), Target(route, "Canned"), limits)
    return fault_in(lambda: model.ask({"model": "m"}, CHAT._read_chunk), stream)


def _sender(stream: Stream, silent: bool, chance: random.Random) -> Callable[[socket.socket], None]:
    """Return what sends a stream: in chunks or of known length, packed or not."""
    coding = chance.choice(list(CODINGS)) if not stream.breaks else ""
    packer = zlib.compressobj(wbits=CODINGS[coding]) if coding else None
    body = [part for part in stream.parts if part]
    if packer:
        body = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in body]
        body.append(packer.flush())
    length = sum(map(len, body)) + stream.breaks
    chunked = chance.random() < 0.7
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n{framing}\r\n\r\n".encode()

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        for part in body:
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if silent:
            connection.recv(1)  # until the reader leaves
        elif chunked and not stream.breaks:
            connection.sendall(b"0\r\n\r\n")

    return send


def run(times: int, seed: int) -> Report:
    """Read so many random streams."""
    found = Report("random byte streams")
    chance = random.Random(seed)
    faults: list[str] = []
    with RawServer() as server, ThreadPoolExecutor(SOCKETS) as pool:
        sent = []
        for number in range(times):
            stream = made(chance)
            if fault := fault_of(stream):
                faults.append(fault)
            if number % SOCKET_SHARE == 0:
                other = random.Random(chance.random())
                sent.append(pool.submit(fault_over_a_socket, server, stream, other))
        faults += [fault for each in sent if (fault := each.result())]
    found.say("streams read", times)
    found.say("of these over a socket too", len(sent))
    found.say("read otherwise than plainly", len(faults), "0", not faults)
    found.broken += faults[:5]
    return found


if __name__ == "__main__":
    report.main(__doc__, run, "times", 500_000)
