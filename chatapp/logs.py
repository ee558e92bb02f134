"""How the service logs: one line an event on standard error, line ends inside a message escaped, nothing of what is said."""

import errno
import logging
import sys

# How the network says that somebody's machine is gone. gunicorn knows of closed connections only, and shows tracebacks of these.
GONE = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class OneLine(logging.Formatter):
    """Escapes line ends in the message, so that what somebody typed cannot pass for a line of ours."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write the message without its traceback."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def set_up(level: str) -> None:
    """Send our own log lines to standard error from `level` on, once per process; "auto" is warning on a terminal, else info."""
    log = logging.getLogger("chatapp")
    auto = "warning" if sys.stderr.isatty() else "info"
    log.setLevel((auto if level == "auto" else level).upper())
    logging.logThreads = logging.logMultiprocessing = (
        False  # asking makes up a name for every greenlet
    )
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine(FORMAT))
        log.addHandler(handler)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Say whether gunicorn's error log needs a record: a reader whose machine is gone is nothing that went wrong here."""
    fault = record.exc_info[1] if record.exc_info else None
    return not (isinstance(fault, OSError) and fault.errno in GONE)
