"""The private names of gevent that we use: these tests fail when gevent changes them."""

import socket as plain
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from chatapp.chains.http.gevent_socket import (
    DirectSocket,
    is_gevent,
    receive_now,
    send_directly,
    until_readable,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_gevent_still_has_the_names(pair: tuple[socket.socket, socket.socket]) -> None:
    here, _ = pair
    assert isinstance(here._sock, plain.socket.__base__)
    assert callable(here._wait)
    for method in ("start", "stop"):  # a watcher of the loop
        assert callable(getattr(here._read_event, method))


def test_a_wait_ends_when_something_can_be_read_and_lets_others_run(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    wait = until_readable(here)
    sender = gevent.spawn(there.send, b"x")
    assert not sender.dead
    wait()
    assert sender.dead, "the wait let it run, and ended after it"
    assert here.recv(9) == b"x"


def test_a_wait_can_be_ended_from_outside(pair: tuple[socket.socket, socket.socket]) -> None:
    waiting = gevent.spawn(until_readable(pair[0]))
    gevent.sleep(0.01)
    assert not waiting.dead
    waiting.kill(timeout=1)
    assert waiting.dead


def test_plain_sockets_are_left_alone() -> None:
    here, there = plain.socketpair()
    with here, there:
        assert not is_gevent(here)
        until_readable(here)()  # returns at once; `recv` waits
        send_directly(here)
        assert type(here) is plain.socket


def test_a_direct_socket_sends_all_however_slowly_it_is_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    send_directly(here)
    assert type(here) is DirectSocket
    data = bytes(range(256)) * 8192  # more than the kernel takes at once
    sender = gevent.spawn(here.sendall, data)
    received = bytearray()
    while len(received) < len(data):
        received += there.recv(65536)
    sender.join(timeout=1)
    assert sender.successful() and received == data


def test_a_small_message_is_one_system_call(pair: tuple[socket.socket, socket.socket]) -> None:
    class Counting:
        def __init__(self, sock: plain.socket) -> None:
            self.sock, self.calls = sock, []

        def __getattr__(self, name: str) -> object:
            self.calls.append(name)
            return getattr(self.sock, name)

    here, there = pair
    send_directly(here)
    inner = here._sock
    here._sock = counting = Counting(inner)
    try:
        here.sendall(b"token")
    finally:
        here._sock = inner
    assert counting.calls == ["send"]
    assert there.recv(9) == b"token"


def test_what_has_arrived_is_received_without_waiting(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    assert receive_now(here, 10) is None
    there.sendall(b"some bytes")
    assert (receive_now(here, 4), receive_now(here, 99)) == (b"some", b" bytes")
    there.close()
    assert receive_now(here, 10) == b""
