"""Excel number formats: formats a number as its cell displays it (a date, an amount, a percentage).

Format codes are those of ECMA-376 part 1, 18.8.31, as far as files use them. Numeric dates become
2024-03-05 whatever the code's order, since 3/5/2024 is ambiguous; dates with names of months or
Chinese characters keep their form.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

GENERAL = "General"
SHORTEST = 1e-9  # added before rounding; smaller differences are binary noise
_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
MONTHS, DAYS = _MONTHS.split(), _DAYS.split()
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    12: "# ?/?", 13: "# ??/??",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 27: 'yyyy"年"m"月"', 31: 'yyyy"年"m"月"d"日"', 37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss", 48: "0.0E+0", 49: "@",
    57: 'yyyy"年"m"月"', 58: 'm"月"d"日"',
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]|_.|\*.|'
    r"(?P<general>general)|(?P<half>am/pm|a/p|上午/下午)|(?P<power>E[+-])|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?|e|g+|b+)|"
    r"(?P<number>[#0?][#0?,]*(?:\.[#0?]*)?,*|\.[#0?]+)|(?P<other>.)",
    re.IGNORECASE,
)
_UNSEEN, _NAMED = re.compile(r"\[[^\]]*\]|_.|;.*"), re.compile("mmm|ddd", re.IGNORECASE)
_FIGURES_ONLY = re.compile(r"[ymdhse\s./:,\\-]*(?:am/pm)?", re.IGNORECASE)

Formatter = Callable[[float], str]


@lru_cache(4096)
def formatter(code: str, from_1904: bool = False) -> Formatter:
    """Return the formatter of a format code. Dates count from 1900, in old Mac files from 1904."""
    sections = _sections(code)
    if _is_date(sections[0]):
        return _date_formatter(sections[0], from_1904)
    made = [_number_formatter(section) for section in sections[:3]]

    def show(value: float) -> str:
        if len(made) > 1 and value < 0:
            return made[1](-value)
        if len(made) > 2 and value == 0:
            return made[2](0)
        return ("-" if value < 0 else "") + made[0](abs(value))

    return show


def general(value: float) -> str:
    """Format a number without a format code, as short as possible."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.12g}"


def _sections(code: str) -> list[str]:
    sections = [""]
    for found in _TOKEN.finditer(code):
        if found.group() == ";":
            sections.append("")
        else:
            sections[-1] += found.group()
    return sections


def _tokens(section: str) -> list[tuple[str, str]]:
    found = (
        (one.lastgroup or "", one.group(one.lastgroup) if one.lastgroup else "")
        for one in _TOKEN.finditer(section)
    )
    return [(kind, text or "") for kind, text in found if kind]


def _is_date(section: str) -> bool:
    kinds = {kind for kind, _ in _tokens(section)}
    return bool(kinds & {"date", "elapsed"}) and not kinds & {"number", "general"}


# --- numbers


def _number_formatter(section: str) -> Formatter:
    """Return the formatter of non-negative numbers."""
    tokens = _tokens(section)
    patterns = [text for kind, text in tokens if kind == "number"]
    others = [text for kind, text in tokens if kind == "other"]
    if "/" in others:  # a fraction
        return general
    if not patterns:
        return _worded(tokens)
    pattern = patterns[0].rstrip(",")
    scale = 100.0 ** others.count("%") / 1000 ** (len(patterns[0]) - len(pattern))
    whole, _, fraction = pattern.partition(".")
    scientific = any(kind == "power" for kind, _ in tokens)

    def show(value: float) -> str:
        if scientific:
            return _insert_digits(tokens, f"{value * scale:.{len(fraction)}E}")
        grouping = "," if "," in whole else ""
        rounded = value * scale + SHORTEST * (value > 0)
        figures = f"{rounded:{grouping}.{len(fraction)}f}"
        before, _, behind = figures.partition(".")
        behind = behind[: fraction.count("0")] + behind[fraction.count("0") :].rstrip("0")
        before = before.zfill(whole.count("0")) if "," not in whole else before
        before = "" if before == "0" and "0" not in whole else before
        return _insert_digits(tokens, f"{before}.{behind}" if behind else before)

    return show


def _worded(tokens: list[tuple[str, str]]) -> Formatter:
    """Return the formatter of a section without digits: General, "@", or literal text."""
    has_general = any(kind == "general" for kind, _ in tokens)
    has_text = any(
        kind in ("quoted", "escaped", "currency") or (kind == "other" and text != "@")
        for kind, text in tokens
    )
    if has_general or not has_text:
        return lambda value: _insert_digits(tokens, general(value))
    return lambda value: _insert_digits(tokens, "")


def _insert_digits(tokens: list[tuple[str, str]], figures: str) -> str:
    """Insert the digits at the first digit placeholder, between the format's literal text."""
    written, put = "", False
    exponent = False
    for kind, text in tokens:
        if kind in ("number", "general") or (kind == "other" and text == "@"):
            written += "" if put or exponent else figures
            put = True
        elif kind == "power":
            exponent = True
        elif kind in ("quoted", "escaped", "currency", "other"):
            written += text
    return (written if put else written + figures).strip()


# --- dates


def _date_formatter(section: str, from_1904: bool) -> Formatter:
    tokens = _mark_minutes(_tokens(section))
    kinds = {text[0].lower().replace("e", "y") for kind, text in tokens if kind == "date"} | {
        "N" for kind, _ in tokens if kind == "minute"
    }
    figures_only = bool(_FIGURES_ONLY.fullmatch(_UNSEEN.sub("", section))) and not _NAMED.search(
        section
    )

    def show(value: float) -> str:
        if any(kind == "elapsed" for kind, _ in tokens):
            return _elapsed(value)
        moment = moment_of(value, from_1904)
        if moment is None:
            return general(value)
        if not figures_only:
            return "".join(_date_part(kind, text, moment, tokens) for kind, text in tokens).strip()
        return _in_figures(moment, kinds)

    return show


def _mark_minutes(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Mark each m that means minutes: after hours or before seconds."""
    dates = [place for place, (kind, _) in enumerate(tokens) if kind in ("date", "elapsed")]
    tokens_with_minutes = list(tokens)
    for at, place in enumerate(dates):
        kind, text = tokens[place]
        before = tokens[dates[at - 1]][1][0].lower() if at else ""
        behind = tokens[dates[at + 1]][1][0].lower() if at + 1 < len(dates) else ""
        if (
            kind == "date"
            and text[0] in "mM"
            and len(text) <= 2
            and (before == "h" or behind == "s")
        ):
            tokens_with_minutes[place] = ("minute", text)
    return tokens_with_minutes


def moment_of(value: float, from_1904: bool) -> datetime | None:
    """Return the date and time of a serial number; None for one beyond the calendar."""
    if not -1 < value < 2_958_466:
        return None
    # Excel has a 29 February 1900, as Lotus 1-2-3 did.
    from_1900 = datetime(1899, 12, 30) if value >= 60 else datetime(1899, 12, 31)
    return (datetime(1904, 1, 1) if from_1904 else from_1900) + timedelta(
        seconds=round(value * 86_400)
    )


def _elapsed(value: float) -> str:
    minutes, seconds = divmod(round(abs(value) * 86_400), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'-' if value < 0 else ''}{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _in_figures(moment: datetime, kinds: set[str]) -> str:
    """Format the parts that a format shows, the largest first."""
    date = "-".join(
        f"{moment:{part}}"
        for kind, part in (("y", "%Y"), ("m", "%m"), ("d", "%d"))
        if kind in kinds
    )
    time = ""
    if "h" in kinds or "N" in kinds:
        time = f"{moment:%H:%M}" if "h" in kinds else f"{moment:%M}"
        time += f"{moment::%S}" if "s" in kinds and (moment.second or not date) else ""
    return " ".join(filter(None, (date, time)))


def _date_part(kind: str, text: str, moment: datetime, tokens: list[tuple[str, str]]) -> str:
    if kind == "minute":
        return f"{moment:%M}" if len(text) > 1 else str(moment.minute)
    if kind == "half":
        return (
            f"{moment:%p}"
            if "/" in text and text.isascii()
            else "上午"
            if moment.hour < 12
            else "下午"
        )
    if kind != "date":
        return text if kind != "elapsed" else ""
    halved = any(kind == "half" for kind, _ in tokens)
    hour = (moment.hour % 12 or 12) if halved else moment.hour
    letter, length = text[0].lower(), len(text)
    if letter in "ye":
        return f"{moment:%Y}" if length > 2 or letter == "e" else f"{moment:%y}"
    if letter == "m":
        names = MONTHS[moment.month - 1]
        return names if length == 4 else names[:3] if length > 2 else f"{moment.month:0{length}}"
    if letter == "d":
        names = DAYS[moment.weekday()]
        return names if length > 3 else names[:3] if length == 3 else f"{moment.day:0{length}}"
    if letter == "h":
        return f"{hour:0{min(length, 2)}}"
    return f"{moment.second:0{min(length, 2)}}" if letter == "s" else ""
