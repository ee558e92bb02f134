"""A finding of `doctor`. A check takes the settings, yields findings and changes nothing."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; a warning or failure includes what to do."""

    check: str
    state: str
    message: str
