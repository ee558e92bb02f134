"""A finding of `doctor`. A check is a function of the settings that yields findings."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; a warning or failure includes what to do."""

    check: str
    state: str
    message: str
