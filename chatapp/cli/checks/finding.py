"""What `doctor` looks at. A check takes the settings and yields what it finds; it changes nothing."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; a warning or failure says what to do."""

    check: str
    state: str
    message: str
