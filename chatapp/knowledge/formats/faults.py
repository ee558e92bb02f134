"""Whose fault an exception is: the file's, the machine's, or that of our limit of memory.

Parsers report what the system refuses them as if the file were broken, so what a file is told
depends on these questions.
"""

import errno
import resource
import sys
from pathlib import Path

# What the system refuses whatever the file contains: of any file, and of the file that is read.
_MACHINE_ERRORS = (
    errno.EIO,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.EACCES,
    errno.EPERM,
)
_AWAY_ERRORS = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
)
# A library that is refused memory needs more than is left: some double what they hold.
_SHORT_SHARE = 1 / 2


def is_of_the_memory(fault: BaseException) -> bool:
    """Return whether a parser failed because this process may not have more memory.

    Libraries in C report that in errors of their own, such as "cannot parse". Any fault therefore
    counts once half of the limit was in use.
    """
    if isinstance(fault, MemoryError):
        return True
    if isinstance(fault, OSError) and fault.errno == errno.ENOMEM:
        return True
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return limit != resource.RLIM_INFINITY and _most_bytes() > limit * _SHORT_SHARE


def is_of_the_machine(fault: BaseException) -> bool:
    """Return whether a parser failed for want of the system or of a part of the installation."""
    if isinstance(fault, OSError):
        return fault.errno in (*_MACHINE_ERRORS, *_AWAY_ERRORS)
    return isinstance(fault, ImportError)


def cannot_be_opened(fault: BaseException, path: str) -> bool:
    """Return whether the file itself was not there, or could not be read from its disk."""
    if not isinstance(fault, OSError) or fault.errno not in _AWAY_ERRORS:
        return False
    return fault.filename is None or str(fault.filename) == path


def _most_bytes() -> int:
    """Return the largest address space that this process has had."""
    if sys.platform != "linux":
        return 0
    try:
        rows = Path("/proc/self/status").read_text().splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmPeak:"))
    except (OSError, StopIteration, MemoryError):
        return 0
