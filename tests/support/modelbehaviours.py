"""Behaviours of the model server, by model name: (pattern, function), first match wins.

A function answers one request on the wire, well or badly. Its arguments are the turn and the
groups of the pattern.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.handbook import reply_to
from tests.support.modelwire import USAGE, Turn, completion

LET_GO = threading.Event()  # for `held-…`
WORDS = (
    "The",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "then",
    "rests",
    "in",
    "the",
    "shade",
    "of",
    "an",
    "old",
    "tree",
    ".",
)
TONGUES = (
    "naïve café",
    "数据库里的答案",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈",
    "Ω≈ç√∫˜µ",
    "שלום עולם",
    "e\u0301a\u0308",
    "\u2028\u0085|",
    "plain ASCII words",
)
TONGUE_BYTES = 26  # the average of a piece with its number
Behaviour = Callable[..., None]
BEHAVIOURS: list[tuple[re.Pattern[str], Behaviour]] = []

REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "context": (
        400,
        {
            "code": "context_length_exceeded",
            "message": "This model's maximum context length is 8192 tokens.",
        },
    ),
    "content": (
        400,
        {
            "code": "content_policy_violation",
            "message": "Your request was rejected by our safety system.",
        },
    ),
    "quota": (
        429,
        {
            "code": "insufficient_quota",
            "type": "insufficient_quota",
            "message": "You exceeded your current quota.",
        },
    ),
    "model": (
        404,
        {
            "code": "model_not_found",
            "message": "The model does not exist or you do not have access to it.",
        },
    ),
}


def behaves(pattern: str) -> Callable[[Behaviour], Behaviour]:
    """Register the behaviour of models with this name; groups of the pattern become arguments."""

    def register(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS.append((re.compile(pattern), behaviour))
        return behaviour

    return register


def says(
    turn: Turn, words: Iterable[str], thought: Iterable[str] = (), name: str = "", rate: float = 0
) -> None:
    """Answer with words, streamed at a rate a second or whole, as requested."""
    if not turn.request.body.get("stream"):
        message = {"role": "assistant", "content": "".join(words)} | (
            {name: "".join(thought)} if name else {}
        )
        whole = completion("chat.completion", turn.request.model, {"message": message}, "stop")
        turn.wire.json(200, whole | {"usage": USAGE})
        return
    turn.text()
    for part in thought:
        turn.delta(**{name: part})
    started = time.monotonic()
    for n, word in enumerate(words, 1):
        turn.delta(content=word)
        if rate:
            turn.wire.wait(max(0.0, started + n / rate - time.monotonic()))
    turn.finish()


@behaves("echo")
def echo(turn: Turn) -> None:
    """Repeat the question, word by word."""
    says(turn, re.findall(r"\S+\s*|\s+", turn.question))


@behaves("parameters")
def parameters(turn: Turn) -> None:
    """Answer with the request's parameters, without the messages."""
    says(
        turn,
        [
            json.dumps(
                {name: value for name, value in turn.request.body.items() if name != "messages"},
                sort_keys=True,
            )
        ],
    )


@behaves("cited")
def cited(turn: Turn) -> None:
    """Cite the first passage."""
    says(turn, ["The ", "answer ", "stands ", "in ", "the ", "first ", "passage ", "[1]", "."])


@behaves("atlas-32b")
def handbook(turn: Turn) -> None:
    """Answer from the handbook like a good model; cut the one about expenses; `sk-hold` pauses."""
    held = turn.request.headers.get("authorization") == "Bearer sk-hold"
    text, breaks = reply_to(turn.question, held)
    words = re.findall(r"[\u3000-\u9fff]{1,2}|\S+\s*|\s+", text)
    if not held and not breaks:
        says(turn, words, rate=40)
        return
    turn.text(*words)
    if held:
        turn.wire.wait()
    turn.wire.close()


@behaves(r"typewriter-(\d+)-(\d+)")
def typewriter(turn: Turn, count: str, rate: str) -> None:
    """So many tokens at so many a second."""
    says(turn, (f"{WORDS[n % len(WORDS)]} " for n in range(int(count))), rate=float(rate))


@behaves(r"held-(\d+)")
def held(turn: Turn, count: str) -> None:
    """So many tokens; the second half once `LET_GO` is set, so that no machine is too slow for what
    a test does meanwhile."""
    LET_GO.clear()
    words = [f"{WORDS[n % len(WORDS)]} " for n in range(int(count))]
    middle = len(words) // 2
    turn.text(*words[:middle])
    while not LET_GO.is_set():
        turn.wire.wait(0.02)
    for word in words[middle:]:
        turn.delta(content=word)
    turn.finish()


@behaves(r"dictation-(\d+)")
def dictation(turn: Turn, rate: str) -> None:
    """Repeat the question, letter by letter, at so many a second."""
    says(turn, turn.question, rate=float(rate))


@behaves(r"numbered-(\d+)-(\d+)")
def numbered(turn: Turn, count: str, rate: str) -> None:
    """So many numbers at so many a second, each with its send time."""

    def numbers() -> Iterable[str]:
        for n in range(int(count)):
            turn.request.sent.append(time.monotonic())
            yield f"{n} "

    says(turn, numbers(), rate=float(rate))


@behaves(r"many-tongues-(\d+)-(\d+)")
def many_tongues(turn: Turn, kilobytes: str, rate: str) -> None:
    """So many KB of reasoning and text in many scripts, at so many pieces a second."""
    pieces = [
        f"{n}: {TONGUES[n % len(TONGUES)]} " for n in range(int(kilobytes) * 1024 // TONGUE_BYTES)
    ]
    turn.text()
    started = time.monotonic()
    for n, piece in enumerate(pieces, 1):
        turn.delta(
            **{"reasoning_content" if n < len(pieces) / 4 or n % 40 < 4 else "content": piece}
        )
        turn.wire.wait(max(0.0001, started + n / float(rate) - time.monotonic()))
    turn.finish()


@behaves(r"flood-(\d+)")
def flood(turn: Turn, count: str) -> None:
    """So many tokens at full speed, each in a chunk of its own, many in a packet."""
    turn.text()
    said = json.dumps(
        completion(
            "chat.completion.chunk", turn.request.model, {"delta": {"content": "word "}}, None
        )
    )
    data = f"data: {said}\n\n".encode()
    one = b"%x\r\n%b\r\n" % (len(data), data)
    left = int(count)
    while left:
        turn.wire.send(one * min(left, 200))
        left -= min(left, 200)
    turn.finish()


@behaves(r"blocks-(\d+)-(\d+)-(\d+)")
def blocks(turn: Turn, count: str, size: str, rate: str) -> None:
    """So many pieces of so many letters, at so many a second."""
    says(turn, ("x" * (int(size) - 1) + " " for _ in range(int(count))), rate=float(rate))


@behaves(r"slow-first-(\d+(?:\.\d+)?)")
def slow_first(turn: Turn, seconds: str) -> None:
    """Wait before the first byte."""
    turn.wire.wait(float(seconds))
    says(turn, ["Sorry ", "for ", "the ", "wait."])


@behaves("hang-before-headers")
def hang_before_headers(turn: Turn) -> None:
    turn.wire.wait()


@behaves("hang-after-headers")
def hang_after_headers(turn: Turn) -> None:
    turn.text()
    turn.wire.wait()


@behaves("hang-mid")
def hang_mid(turn: Turn) -> None:
    turn.text("One ", "two ", "three ")
    turn.wire.wait()


@behaves("hang-after-finish")
def hang_after_finish(turn: Turn) -> None:
    """Never send [DONE]."""
    turn.text("All ", "said.")
    turn.delta("stop")
    turn.wire.wait()


@behaves("pings-after-finish")
def pings_after_finish(turn: Turn) -> None:
    turn.text("All ", "said.")
    turn.delta("stop")
    while True:
        turn.wire.chunk(b": ping\n\n")
        turn.wire.wait(0.05)


@behaves(r"stops-all-the-time-(\d+(?:\.\d+)?)(-forever)?")
def stops_all_the_time(turn: Turn, seconds: str, forever: str | None) -> None:
    """A finish_reason on every chunk, so many seconds apart; optionally nothing behind them."""
    turn.text()
    for word in ("One ", "two ", "three "):
        turn.delta("stop", content=word)
        turn.wire.wait(float(seconds))
    if forever:
        turn.wire.wait()
    turn.wire.end()


@behaves(r"stop-then-more-(\d+(?:\.\d+)?)")
def stop_then_more(turn: Turn, seconds: str) -> None:
    """A finish_reason, and after so many seconds more text."""
    turn.text("One moment. ")
    turn.delta("stop")
    turn.wire.wait(float(seconds))
    turn.delta(content="Here it is.")
    turn.finish()


@behaves("drip-headers")
def drip_headers(turn: Turn) -> None:
    """Send single bytes within the time limit, and never the whole head."""
    turn.wire.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        turn.wire.send(b"x")
        turn.wire.wait(0.05)


@behaves("pings")
def pings(turn: Turn) -> None:
    """One token, then comments forever."""
    turn.text("One ")
    while True:
        turn.wire.chunk(b": ping\n\n")
        turn.wire.wait(0.05)


@behaves(r"refuse-(\d+)(?:-(\d+))?(-once)?")
def refuse(turn: Turn, status: str, retry_after: str | None, once: str | None) -> None:
    """An HTTP status, optionally with Retry-After, optionally the first time only."""
    if once and turn.before:
        echo(turn)
        return
    if status == "404":
        refuse_because(turn, "model")
        return
    message = f"Refused. Key sk-leak-{turn.request.headers.get('authorization', '')}"
    headers = {"Retry_After": retry_after} if retry_after else {}
    turn.wire.json(int(status), {"error": {"message": message, "type": "server_error"}}, **headers)


@behaves(r"refuse-([a-z]+)")
def refuse_because(turn: Turn, reason: str) -> None:
    """A status with one of OpenAI's error bodies."""
    status, error = REFUSALS[reason]
    turn.wire.json(status, {"error": error})


@behaves("refuse-with-markup")
def refuse_with_markup(turn: Turn) -> None:
    """Fail with markup and a key in the message."""
    words = "<b>CUDA</b> out of memory <img src=x onerror=alert(1)> sk-4f8a9b21c7d0e3"
    turn.wire.json(500, {"error": {"message": words, "type": "server_error"}})


@behaves(r"picky-([a-z_+]+)(?:-[a-z]+)?")
def picky(turn: Turn, settings: str) -> None:
    """Refuse each of these settings by OpenAI's words, one at a time; else tell the parameters."""
    for name in settings.split("+"):
        if name in turn.request.body:
            words = f"Unsupported value: '{name}' is not supported with this model."
            error = {"message": words, "type": "invalid_request_error", "param": name}
            turn.wire.json(400, {"error": error | {"code": "unsupported_value"}})
            return
    parameters(turn)


@behaves("renamed-max-tokens")
def renamed_max_tokens(turn: Turn) -> None:
    """Know `max_completion_tokens` only."""
    if "max_tokens" not in turn.request.body:
        parameters(turn)
        return
    words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    turn.wire.json(400, {"error": {"message": words, "param": "max_tokens"}})


@behaves(r"no-(system|developer)")
def no_role(turn: Turn, role: str) -> None:
    """Refuse a role as chat templates do; else tell the roles."""
    roles = [message["role"] for message in turn.request.body["messages"]]
    if role in roles:
        turn.wire.json(500, {"error": {"code": 500, "message": "System role not supported"}})
    else:
        says(turn, [" ".join(roles), "|", turn.question])


@behaves("refuses-in-the-stream")
def refuses_in_the_stream(turn: Turn) -> None:
    """Refuse the temperature by an event of a stream that has status 200."""
    if "temperature" not in turn.request.body:
        echo(turn)
        return
    turn.wire.begin()
    turn.event({"error": {"message": "invalid temperature: only 1 is allowed", "code": 400}})
    turn.wire.end()


@behaves("limited-rewrite")
def limited_rewrite(turn: Turn) -> None:
    """Refuse requests to rewrite for their rate, for an hour; else echo."""
    if is_rewriting(turn):
        turn.wire.json(429, {"error": {"message": "max RPM: 3"}}, Retry_After="3600")
    else:
        echo(turn)


@behaves("drop-once")
def drop_once(turn: Turn) -> None:
    """Close without an answer the first time."""
    if turn.before:
        echo(turn)
    else:
        turn.wire.close()


@behaves("drop")
def drop(turn: Turn) -> None:
    turn.wire.close()


@behaves("html")
def html(turn: Turn) -> None:
    turn.wire.whole(200, b"<!doctype html><title>Welcome</title>", "text/html")


@behaves("json-whole")
def json_whole(turn: Turn) -> None:
    """Ignore stream=true."""
    message = {"role": "assistant", "content": "All at once.", "reasoning_content": "Hm."}
    whole = completion("chat.completion", turn.request.model, {"message": message}, "stop")
    turn.wire.json(200, whole | {"usage": USAGE})


@behaves("json-error")
def json_error(turn: Turn) -> None:
    """An error with status 200."""
    turn.wire.json(200, {"error": {"code": "invalid_api_key", "message": "Wrong key."}})


@behaves("json-other")
def json_other(turn: Turn) -> None:
    turn.wire.json(200, {"hello": "world"})


@behaves("not-http")
def not_http(turn: Turn) -> None:
    turn.wire.send(b"220 mail.example.org ESMTP\r\n\r\n")
    turn.wire.close()


@behaves("broken-json")
def broken_json(turn: Turn) -> None:
    turn.text("Good ", "so ", "far ")
    turn.wire.chunk(b'data: {"choices": [{"delta": {"content": "x"\n\n')
    turn.wire.wait()


@behaves("bad-utf8")
def bad_utf8(turn: Turn) -> None:
    turn.text("Good ")
    turn.wire.chunk(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n')
    turn.finish()


@behaves("split-utf8")
def split_utf8(turn: Turn) -> None:
    """Cut between the bytes of a character, over packets and chunks."""
    turn.text()
    body = completion(
        "chat.completion.chunk", "split-utf8", {"delta": {"content": "数据库 🙂"}}, None
    )
    data = b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"
    for n in range(len(data)):
        turn.wire.chunk(data[n : n + 1])
        if data[n] > 0x7F:
            turn.wire.wait(0.003)
    turn.finish()


@behaves("cut")
def cut(turn: Turn) -> None:
    turn.text("Half ", "an ")
    turn.wire.wait(0.02)
    turn.wire.close()


@behaves("reset")
def reset(turn: Turn) -> None:
    turn.text("Half ", "an ")
    turn.wire.wait(0.1)
    turn.wire.close(reset=True)


@behaves("no-finish")
def no_finish(turn: Turn) -> None:
    """A clean end with neither finish_reason nor [DONE]."""
    turn.text("Half ", "an ")
    turn.wire.end()


@behaves("only-done")
def only_done(turn: Turn) -> None:
    """[DONE] without a finish_reason."""
    turn.text("All ", "said.")
    turn.wire.chunk(b"data: [DONE]\n\n")
    turn.wire.end()


@behaves("error-event")
def error_event(turn: Turn) -> None:
    turn.text("Half ", "an ")
    turn.event(
        {"error": {"message": "The server had an error", "type": "server_error", "code": None}}
    )
    turn.wire.end()


@behaves("empty")
def empty(turn: Turn) -> None:
    turn.wire.begin()
    turn.wire.end()


@behaves("null-deltas")
def null_deltas(turn: Turn) -> None:
    """Every field that may be null or missing is, once."""
    turn.text()
    turn.event({"choices": []})
    turn.event({"choices": [{"delta": None}]})
    turn.event({"choices": [{"index": 0}]})
    turn.event(
        {
            "choices": [
                {
                    "delta": {"content": None, "role": None, "tool_calls": None},
                    "finish_reason": None,
                }
            ]
        }
    )
    turn.event({"choices": [{"delta": {"content": "Fine."}, "finish_reason": ""}], "usage": None})
    turn.finish()


@behaves("length")
def length(turn: Turn) -> None:
    turn.text("Too ", "long ")
    turn.finish("length")


@behaves("content-filter")
def content_filter(turn: Turn) -> None:
    turn.text("This ")
    turn.finish("content_filter")


@behaves("reasoning")
def reasoning(turn: Turn) -> None:
    says(turn, ["The ", "answer."], ["Let ", "me ", "think."], "reasoning_content")


@behaves("reasoning-field")
def reasoning_field(turn: Turn) -> None:
    says(turn, ["The ", "answer."], ["Let ", "me ", "think."], "reasoning")


@behaves("think")
def think(turn: Turn) -> None:
    says(turn, ["<th", "ink>", "\nLet me ", "think.", "</", "think>", "\n\n", "The ", "answer."])


@behaves("tools")
def tools(turn: Turn) -> None:
    """A tool call between two words."""
    turn.text("Before ")
    call = {
        "index": 0,
        "id": "t1",
        "type": "function",
        "function": {"name": "search", "arguments": "{}"},
    }
    turn.delta(tool_calls=[call])
    turn.delta(content="after.")
    turn.finish()


@behaves("refusal")
def refusal(turn: Turn) -> None:
    turn.text()
    turn.delta(refusal="I cannot help with that.")
    turn.finish()


@behaves(r"huge-delta(?:-(\d+))?")
def huge_delta(turn: Turn, megabytes: str | None) -> None:
    """One delta of 8 MB, or of so many."""
    turn.text("x" * (int(megabytes or 8) * 1024 * 1024))
    turn.finish()


@behaves("weird-text")
def weird_text(turn: Turn) -> None:
    """Valid JSON that breaks lines, databases or UTF-8; the last two are half a character each."""
    turn.text("a\u2028b\u0085c", "\u0000", "\r\n\r", "\ud800", "\ud83d", "\ude00")
    turn.finish()


@behaves("crlf")
def crlf(turn: Turn) -> None:
    """CRLF, comments, event names, and a chunk that ends between CR and LF."""
    turn.wire.begin()
    turn.wire.chunk(b": hello\r\n\r\n")
    body = json.dumps(
        completion("chat.completion.chunk", "crlf", {"delta": {"content": "Fine "}}, None)
    ).encode()
    turn.wire.chunk(b"event: message\r\nid: 1\r\ndata: " + body + b"\r")
    turn.wire.wait(0.01)
    turn.wire.chunk(b"\n\r\ndata:" + body + b"\r\n\r\n")
    turn.event(completion("chat.completion.chunk", "crlf", {"delta": {}}, "stop"), b"\r\n")
    turn.wire.chunk(b"data: [DONE]\r\n\r\n")
    turn.wire.end()


@behaves("redirect")
def redirect(turn: Turn) -> None:
    turn.wire.json(307, {}, Location=f"{turn.base_url}/chat/completions/elsewhere")


@behaves("until-close")
def until_close(turn: Turn) -> None:
    """HTTP/1.0: the body ends with the connection."""
    turn.wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for delta, reason in (({"content": "Old "}, None), ({"content": "style."}, "stop")):
        body = completion("chat.completion.chunk", "until-close", {"delta": delta}, reason)
        turn.wire.send(b"data: " + json.dumps(body).encode() + b"\n\n")
    turn.wire.close()


@behaves("usage")
def usage(turn: Turn) -> None:
    """Usage in a last event of its own, requested or not."""
    turn.text("Counted.")
    turn.delta("stop")
    turn.usage()
    turn.wire.chunk(b"data: [DONE]\n\n")
    turn.wire.end()


@behaves("usage-broken")
def usage_broken(turn: Turn) -> None:
    """Usage counts that are not numbers."""
    turn.text("Counted.")
    turn.delta("stop")
    turn.event(
        {
            "choices": [],
            "usage": {"prompt_tokens": "many", "completion_tokens": [], "prompt_tokens_details": 3},
        }
    )
    turn.wire.chunk(b"data: [DONE]\n\n")
    turn.wire.end()


@behaves("zen-rewrite")
def zen_rewrite(turn: Turn) -> None:
    """Rewrite a question if asked to, else echo."""
    if is_rewriting(turn):
        says(turn, ["How many days of leave do interns get?"])
    else:
        echo(turn)


@behaves("slow-rewrite")
def slow_rewrite(turn: Turn) -> None:
    """Never answer a request to rewrite, else type for a minute."""
    if is_rewriting(turn):
        turn.wire.wait()
    else:
        typewriter(turn, "2400", "40")


def is_rewriting(turn: Turn) -> bool:
    """Return whether the request asks to rewrite a question."""
    return "Rewrite the user's last question" in str(
        turn.request.body.get("messages", [{}])[0].get("content")
    )


def typed(count: int) -> str:
    """Return the text of `typewriter-<count>-…`."""
    return " ".join(WORDS[n % len(WORDS)] for n in range(count))
