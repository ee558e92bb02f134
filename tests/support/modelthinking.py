"""Behaviours of the model server that think in many ways, or say nothing."""

import json
import threading
from typing import Any

from tests.support.modelbehaviours import behaves, echo, says
from tests.support.modelwire import USAGE, Turn, completion

GO_ON = threading.Event()  # for `thinks-slowly`
THOUGHT, ANSWER = "Let me think.\n", "The answer."
NOTATIONS = {
    "tags": (f"<Thinking time='1'>\n{THOUGHT}</thinking>\n\n", ANSWER),
    "closing-tag": (f"{THOUGHT}</think>\n\n", ANSWER),
    "channels": (
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final"
        f"<|message|>",
        ANSWER,
    ),
    "brackets": (f"[THINK]{THOUGHT}[/THINK]", ANSWER),
}
FIELDS: dict[str, Any] = {
    "thinking": THOUGHT,
    "reasoning_text": THOUGHT,
    "reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}],
}


@behaves("thinks-in-(tags|closing-tag|channels|brackets)")
def thinks_in_text(turn: Turn, notation: str) -> None:
    """Think inside the text, letter by letter."""
    says(turn, "".join(NOTATIONS[notation]))


@behaves("thinks-in-(thinking|reasoning_text|reasoning_details)")
def thinks_in_field(turn: Turn, name: str) -> None:
    """Think in a field, and repeat all of it in another."""
    turn.text()
    turn.delta(**{name: FIELDS[name]})
    turn.delta(content=ANSWER, reasoning_content=THOUGHT)
    turn.finish()


@behaves("thinks-slowly")
def thinks_slowly(turn: Turn) -> None:
    """Think as text, and say that it was thinking when the test lets it go on."""
    turn.text(THOUGHT)
    while not GO_ON.is_set():
        turn.wire.wait(0.02)
    for part in ("</th", "ink>", "\n\n", ANSWER):
        turn.delta(content=part)
    turn.finish()


@behaves("says-nothing-(done|stop|length|filter|blank|thinking|cut-thinking|tool|whole|body)")
def says_nothing(turn: Turn, how: str) -> None:
    """End without a word."""
    if how == "whole":
        message = {"role": "assistant", "content": ""}
        whole = completion("chat.completion", turn.request.model, {"message": message}, "stop")
        turn.wire.json(200, whole | {"usage": USAGE})
    elif how == "body":
        turn.wire.whole(200, b"", "text/event-stream")
    elif how == "done":
        turn.wire.begin()
        turn.wire.chunk(b"data: [DONE]\n\n")
        turn.wire.end()
    else:
        turn.text()
        _one_delta(turn, how)
        reasons = {"length": "length", "cut-thinking": "length", "filter": "content_filter"}
        turn.finish("tool_calls" if how == "tool" else reasons.get(how, "stop"))


def _one_delta(turn: Turn, how: str) -> None:
    if how == "blank":
        turn.delta(content="\n\n \u200b")
    elif how == "tool":
        function = {"name": "search", "arguments": json.dumps({"query": turn.question})}
        call = {"index": 0, "id": None, "type": "function", "function": function}
        turn.delta(tool_calls=[call])
    elif how.endswith("thinking"):
        turn.delta(reasoning_content=THOUGHT)


@behaves("strict(?:-(silent|failing|stopped))?-once")
def strict(turn: Turn, first: str | None) -> None:
    """Refuse roles that do not alternate; go wrong at the first question."""
    roles = [message["role"] for message in turn.request.body["messages"]]
    expected = ["system", *(("user", "assistant")[n % 2] for n in range(len(roles) - 1))]
    if roles != expected or roles[-1] != "user":
        message = "After the optional system message, conversation roles must alternate"
        turn.wire.json(400, {"error": {"message": message, "type": "BadRequestError"}})
    elif first == "failing" and not turn.before:
        turn.wire.json(500, {"error": {"message": "out of memory"}})
    elif first == "silent" and not turn.before:
        says_nothing(turn, "thinking")
    elif first == "stopped" and not turn.before:
        turn.text()
        turn.wire.wait()
    else:
        echo(turn)
