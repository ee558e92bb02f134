"""One timer ends all waits of an exchange, at the deadline in force when it fires."""

import time

import gevent
import pytest
from gevent import socket

from chatapp.chains.http.gevent_socket import until_readable
from chatapp.chains.http.waiting import Alarm, Deadline, Limits


def _deadline(seconds: float) -> Deadline:
    return Deadline(Limits(connect=9, first_token=seconds, idle=9, answer=900))


def _waited(sock: socket.socket, alarm: Alarm) -> float:
    """Wait for data or the alarm; return the seconds that took."""
    began = time.monotonic()
    try:
        with alarm:
            until_readable(sock)()
    except TimeoutError:
        pass
    return time.monotonic() - began


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_a_wait_ends_at_the_deadline_and_the_next_one_does_not_begin(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    alarm = Alarm(_deadline(0.1))
    with pytest.raises(TimeoutError), alarm:
        until_readable(pair[0])()
    with pytest.raises(TimeoutError), alarm:
        raise AssertionError("no time is left")


def test_one_alarm_serves_many_waits(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    deadline = _deadline(3)
    alarm = Alarm(deadline)
    for _ in range(8):  # longer in all than one limit
        gevent.spawn_later(0.4, there.send, b"x")
        with alarm:
            until_readable(here)()
        assert here.recv(9) == b"x"
        deadline.allow(3)


def test_a_deadline_that_moves_on_during_the_wait_holds(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    deadline = _deadline(1)
    gevent.spawn_later(0.1, deadline.allow, 1.5)
    assert _waited(pair[0], Alarm(deadline)) >= 1.5


def test_a_deadline_that_comes_nearer_between_two_waits_holds(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    deadline = _deadline(600)
    alarm = Alarm(deadline)
    there.send(b"x")
    with alarm:
        until_readable(here)()
    here.recv(9)
    deadline.allow(0.1)
    assert _waited(here, alarm) < 600


def test_an_alarm_between_two_waits_interrupts_nothing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    deadline = _deadline(1)
    alarm = Alarm(deadline)
    gevent.spawn_later(0.01, pair[1].send, b"x")
    with alarm:
        until_readable(pair[0])()
    gevent.sleep(1.1)
    deadline.allow(60)
    assert _waited(pair[0], alarm) < 60, "something is there to read"
    pair[0].recv(9)
    deadline.allow(0.1)
    assert _waited(pair[0], alarm) >= 0.1
    alarm.stop()
