"""What suppliers' finish_reasons mean: which name an end, and of which kind."""

import re
from enum import Enum, auto

REASON_CHARS = 100  # of a reason that are looked at


class End(Enum):
    """What the finish_reason of a chunk says about the end of the answer."""

    NONE = auto()  # nothing: no word, or one for an answer that goes on
    FAULT = auto()  # the supplier failed
    KNOWN = auto()
    UNKNOWN = auto()  # a word that is in no table here


_STOP = (
    "stop stopped stop_sequence stop_sequences stop_token end end_turn eos eos_token eos_found eod"
    " end_of_text endoftext complete completed done finish finished normal pause_turn other"
    " tool_calls tool_call tool_use function_call"
)
_LENGTH = (
    "length max_tokens max_token max_output_tokens max_length model_length token_limit"
    " model_context_window_exceeded context_length_exceeded repetition_truncation"
)
_CONTENT_FILTER = (
    "content_filter content_filtered safety recitation blocklist blocked prohibited_content spii"
    " sensitive refusal guardrail_intervened language image_safety"
)
_FAULT = (
    "error network_error server_error internal_error parse_error insufficient_system_resource"
    " abort aborted cancel cancelled canceled fail failed failure timeout overloaded"
    " malformed_function_call malformed_response unexpected_tool_call"
)
_MEANINGS = {
    word: meaning
    for meaning, words in (
        ("stop", _STOP),
        ("length", _LENGTH),
        ("content_filter", _CONTENT_FILTER),
    )
    for word in words.split()
}
_FAULTS = frozenset(_FAULT.split())
_NO_END = re.compile(
    r"|null|nil|none|undefined|unknown|unspecified|false|true|nan|-|[\d.]+"
    r"|.*(progress|incomplete|unfinished|not_|running|stream|pending|continu|generating|partial)"
    r".*",
    re.DOTALL,
)


def end(reason: object) -> End:
    """Return what a finish_reason says; only a string says anything."""
    if not isinstance(reason, str):
        return End.NONE
    word = _word(reason)
    if word in _MEANINGS:
        return End.KNOWN
    if word in _FAULTS:
        return End.FAULT
    return End.NONE if _NO_END.fullmatch(word) else End.UNKNOWN


def meaning(reason: str) -> str:
    """Return a finish_reason as stop, length or content_filter; one that is unknown is stop."""
    return _MEANINGS.get(_word(reason), "stop")


def _word(reason: str) -> str:
    """Reduce `FinishReason.MAX_TOKENS`, `content_filter: BLOCKLIST` and the like to the word."""
    word = reason[:REASON_CHARS].partition(":")[0].rpartition(".")[2].strip().lower()
    return re.sub(r"[\s-]+", "_", word).removeprefix("finish_reason_")
