"""What is worth a line in the log, and that a line stays one."""

import contextvars
import errno
import json
import logging
import sys

import pytest

from chatapp.logs import OneLine, formatter, is_worth_a_line, of_request, set_up


def record(
    fault: Exception | None, message: str = "Socket error processing request."
) -> logging.LogRecord:
    try:
        if fault is not None:
            raise fault
        seen = None
    except Exception:
        seen = sys.exc_info()
    return logging.LogRecord("gunicorn.error", logging.ERROR, "", 0, message, (), seen)


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EHOSTUNREACH])
def test_a_reader_whose_machine_is_gone_is_no_error(number: int) -> None:
    assert not is_worth_a_line(record(OSError(number, "gone")))


@pytest.mark.parametrize(
    "fault", [None, OSError(errno.EMFILE, "too many files"), ValueError("odd")]
)
def test_everything_else_is_shown(fault: Exception | None) -> None:
    assert is_worth_a_line(record(fault))


def test_a_line_stays_one() -> None:
    assert "\n" not in OneLine("%(message)s").format(record(None, "one\ntwo\r\nthree"))


@pytest.mark.parametrize(
    ("on_a_terminal", "level"), [(True, logging.WARNING), (False, logging.INFO)]
)
def test_a_terminal_is_left_to_warnings(
    monkeypatch: pytest.MonkeyPatch, on_a_terminal: bool, level: int
) -> None:
    log = logging.getLogger("chatapp")
    before = log.level
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_a_terminal)
    set_up("auto")
    seen = log.level
    set_up("debug")
    assert (seen, log.level) == (level, logging.DEBUG)
    log.setLevel(before)


def formatted(form: str, message: str, fault: Exception | None = None) -> str:
    """Return a line of a request, without leaving its name behind."""

    def line() -> str:
        of_request(request_id="r1", user_id="u\n1", address="")
        return formatter(form).format(record(fault, message))

    return contextvars.copy_context().run(line)


def test_a_line_names_its_request() -> None:
    assert formatted("text", "done").endswith(r" done [request_id=r1 user_id=u\n1]")
    outside = contextvars.Context()  # other tests of this thread have answered requests
    line = outside.run(formatter("text").format, record(None, "done"))
    assert line.endswith(" ERROR done")


def test_a_line_of_json_is_one_object_with_its_traceback() -> None:
    line = formatted("json", "one\ntwo “三”", ValueError("odd"))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["message"], found["level"]) == ("one\ntwo “三”", "error")
    assert (found["request_id"], found["user_id"]) == ("r1", "u\n1")
    assert "address" not in found and "ValueError: odd" in found["traceback"]
    assert found["time"].endswith("+00:00")


def test_a_line_begins_with_the_time_as_logging_writes_it() -> None:
    line, plain = OneLine("%(asctime)s"), logging.Formatter("%(asctime)s")
    for moment in (0.25, 0.999, 1.0, 1_800_000_000.5):
        one = record(None)
        one.created, one.msecs = moment, moment % 1 * 1000
        assert contextvars.Context().run(line.format, one) == plain.format(one)
