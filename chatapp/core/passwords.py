"""Which passwords are too easy to guess. `common_passwords.txt` names the source of its list."""

from functools import cache
from pathlib import Path

LEAST, MOST = 8, 1000  # characters
COMMON = Path(__file__).with_name("common_passwords.txt")
DIGITS = "0123456789" * 2


def weakness(password: str, name: str = "") -> str | None:
    """Return why a new password is refused: short, long, name, repeated or common; else None.

    `name` is that of the account. Letters are compared without regard to case.
    """
    if not LEAST <= len(password) <= MOST:
        return "short" if len(password) < LEAST else "long"
    folded = password.casefold()
    if folded == name.casefold():
        return "name"
    if len(set(folded)) == 1:
        return "repeated"
    if folded in _common() or folded in DIGITS or folded[::-1] in DIGITS:
        return "common"
    return None


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#!"))
