"""Logging: one line an event on standard error, line ends escaped, never text of answers."""

import errno
import logging
import sys

# A disconnected client. gunicorn expects only closed connections and logs tracebacks of these.
DISCONNECTED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class OneLine(logging.Formatter):
    """Escapes line ends in the message, so that user input cannot forge log lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write the message without its traceback."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def set_up(level: str) -> None:
    """Log to standard error from `level` on; "auto" is warning on a terminal, else info."""
    log = logging.getLogger("chatapp")
    auto = "warning" if sys.stderr.isatty() else "info"
    log.setLevel((auto if level == "auto" else level).upper())
    # Looking these up would create a name for every greenlet.
    logging.logThreads = logging.logMultiprocessing = False
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine(FORMAT))
        log.addHandler(handler)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return whether gunicorn's error log keeps a record: a disconnected client is no error."""
    fault = record.exc_info[1] if record.exc_info else None
    return not (isinstance(fault, OSError) and fault.errno in DISCONNECTED)
