"""Logging: one line an event on standard error, as text or JSON, never text of answers.

`of_request` names the request that lines belong to, by a context variable. A new greenlet or thread
begins without it: what works for one request is run in a copy of its context.
"""

import errno
import json
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

# A disconnected client. gunicorn expects only closed connections and logs tracebacks of these.
DISCONNECTED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)
FORMAT = "%(asctime)s %(levelname)s %(message)s"

_request: ContextVar[Mapping[str, str]] = ContextVar("request", default=MappingProxyType({}))


class OneLine(logging.Formatter):
    """Text. Escapes line ends in the message, so that user input cannot forge log lines."""

    _second = -1, ""  # since the epoch, and as text

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Write the local time as logging does, formatted once a second."""
        second, shown = self._second
        if second != int(record.created):
            second = int(record.created)
            shown = time.strftime(self.default_time_format, time.localtime(second))
            self._second = second, shown
        return f"{shown},{int(record.msecs):03d}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write the message without its traceback."""
        record.message = _escaped(record.message)
        fields = " ".join(f"{name}={value}" for name, value in _request.get().items())
        return super().formatMessage(record) + (f" [{_escaped(fields)}]" if fields else "")


class JsonLine(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the message, the request it belongs to, and the traceback if there is one."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_request.get(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, form: str = "text") -> None:
    """Log to standard error from `level` on; "auto" is warning on a terminal, else info."""
    log = logging.getLogger("chatapp")
    auto = "warning" if sys.stderr.isatty() else "info"
    log.setLevel((auto if level == "auto" else level).upper())
    # Looking these up would create a name for every greenlet.
    logging.logThreads = logging.logMultiprocessing = False
    # No line says where in the code it was written (Python's logging HOWTO, Optimization).
    logging._srcfile = None
    if not log.handlers:
        log.addHandler(logging.StreamHandler())
    for handler in log.handlers:
        handler.setFormatter(formatter(form))


def formatter(form: str) -> logging.Formatter:
    """Return what writes lines in this form, text or json."""
    return JsonLine() if form == "json" else OneLine(FORMAT)


def of_request(**fields: str) -> None:
    """Add these fields to all lines from here on; empty ones are left out."""
    _request.set({name: value for name, value in fields.items() if value})


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return whether gunicorn's error log keeps a record: a disconnected client is no error."""
    fault = record.exc_info[1] if record.exc_info else None
    return not (isinstance(fault, OSError) and fault.errno in DISCONNECTED)


def _escaped(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")
