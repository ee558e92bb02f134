"""Behaviours of the model server that call tools. Importing it registers them."""

from typing import Any

from tests.support.modelbehaviours import behaves, says
from tests.support.modelwire import Turn

ARGUMENTS = ['{"city": "Ber', "lin", '", "unit": "°C"}']


def _function(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@behaves(r"weather(-plain|-unnumbered|-words)?")
def weather(turn: Turn, how: str | None) -> None:
    """Call two tools, the arguments of the first in pieces; say the results once they are there.

    `unnumbered`: whole calls without an index; `words`: after a few words.
    """
    results = [each["content"] for each in turn.request.body["messages"] if each["role"] == "tool"]
    if results:
        says(turn, ["It is ", " and ".join(results), "."])
        return
    turn.text(*(["Let me ", "look."] if how == "-words" else []))
    second = _function("call_b", "time", "{}")
    if how == "-unnumbered":
        turn.delta(tool_calls=[_function("call_a", "weather", "".join(ARGUMENTS)), second])
    else:
        turn.delta(tool_calls=[{"index": 0, **_function("call_a", "weather", "")}])
        for piece in ARGUMENTS:
            turn.delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}])
        turn.delta(tool_calls=[{"index": 1, **second}])
    turn.finish("stop" if how == "-plain" else "tool_calls")
