"""`make try-real`: ask a real model on llama.cpp's server through the product, and report.

    python -m bench.real

The answers of so small a model are nonsense; what is checked is how the product reads the server,
stops it, and explains what it refuses. Exits with 1 if a check failed.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.llama import ANSWERS, CONTEXT_TOKENS, KEY, MODEL, Llama, llama_server
from bench.processes import service
from bench.tables import Skipped
from tests.support.service import Service, Streamed, wait_for

MOST_TOKENS = 48  # of an answer whose length does not matter
FEW_TOKENS = 6  # of an answer that is cut
ENDLESS = "endless"  # the supplier without such a limit
STORY = "Tell me a very long story about a lighthouse and its keeper."
Until = Callable[[Streamed], bool]
NOTE = "# Leave\n\nEvery employee of Harbour & Lane gets 27 days of paid leave in a year.\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """The product and the real server."""

    product: Service
    llama: Llama

    def connect(self, name: str, key: str = KEY, **body: Any) -> str:
        """Add the server as a supplier, with fields for the body of requests; return its id."""
        options = {"body": {"max_tokens": MOST_TOKENS, **body}}
        address = {"preset": "llamacpp", "base_url": self.llama.base_url, "api_key": key}
        supplier = {"name": name, "models": [MODEL], "options": options, **address}
        reply = self.product.post("/api/suppliers", supplier)
        assert reply.status == 201, f"{reply.status}: {reply.body!r}"
        return str(reply.json["id"])

    def ask(
        self, question: str, supplier: str = "real", until: Until | None = None, **more: Any
    ) -> Streamed:
        """Ask, and read the answer to its end or a condition."""
        config = {"supplier": supplier, "model": MODEL}
        body = {"question": question, "llm_config": config, **more}
        answer = self.product.stream(body, until=until)
        assert answer.status == 200, f"status {answer.status}"
        return answer


def has_text(answer: Streamed) -> bool:
    """Return whether the first words have come."""
    return "chunk" in answer.kinds()


def completed(answer: Streamed, reasons: tuple[str, ...] = ("stop", "length")) -> str:
    """Expect a whole answer with token counts and without reasoning; return a summary."""
    assert answer.last["type"] == "done", json.dumps(answer.last, ensure_ascii=False)
    done = answer.last["data"]
    assert done["finish_reason"] in reasons, f"finish_reason {done['finish_reason']}"
    assert answer.text().strip(), "no text"
    assert "reasoning" not in answer.kinds(), "reasoning of a model that does not think"
    tokens = done["usage"].get("completion_tokens")
    assert tokens, f"usage {done['usage']}"
    return f"{tokens} tokens, {done['finish_reason']}: {answer.text().strip()[:48]!r}"


def failed(answer: Streamed, code: str) -> str:
    """Expect an error event with this code; return its sentence."""
    assert answer.last["type"] == "error", f"{answer.last['type']}, not {code}"
    assert answer.last["code"] == code, f"{answer.last['code']}: {answer.last['data']}"
    return f"{code}: {answer.last['data']}"


def supplier_test(scene: Scene) -> str:
    """The administrator's test finds the model."""
    found = scene.product.post(f"/api/suppliers/{scene.connect('real')}/test", {}).json
    assert found.get("ok") and found["models"] == [MODEL], str(found)
    return f"models {found['models']}"


def plain_question(scene: Scene) -> str:
    """A plain question is answered."""
    return completed(scene.ask("What is the capital of France?"))


def next_question(scene: Scene) -> str:
    """A second question of the same session is answered."""
    first = scene.ask("My name is Ada. Say hello to me.").first("context")
    return completed(scene.ask("What is my name?", session_id=first["session_id"]))


def document(scene: Scene) -> str:
    """A question about a document shows the passage and is answered."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "leave.md"
        file.write_text(NOTE, encoding="utf-8")
        base = scene.product.add_documents("Handbook", file)
    config = {"knowledge_base_id": base}
    answer = scene.ask("How many days of paid leave are there?", knowledge_config=config)
    sources = answer.first("sources")["data"]
    assert sources[0]["name"] == "leave.md", str(sources)
    return completed(answer)


def stop(scene: Scene) -> str:
    """Stop ends the server's work and keeps the text so far; the session goes on."""
    scene.connect(ENDLESS, max_tokens=-1)
    begun = scene.ask(STORY, ENDLESS, has_text)
    path = f"/chat/stream/{begun.message_id}"
    assert scene.product.request("DELETE", path).status == 204, "not 204"
    wait_for(lambda: not scene.llama.busy(), what="the server has stopped writing")
    whole = scene.product.stream(path=path)
    assert whole.last["data"].get("finish_reason") == "stopped", str(whole.last)
    assert whole.text().startswith(begun.text()), "the text is another one"
    again = scene.ask("Go on.", session_id=begun.first("context")["session_id"])
    return f"kept {len(whole.text())} characters; then {completed(again)}"


def max_tokens(scene: Scene) -> str:
    """An answer that reaches max_tokens ends with `length`."""
    scene.connect("short", max_tokens=FEW_TOKENS)
    return completed(scene.ask(STORY, "short"), ("length",))


def too_long(scene: Scene) -> str:
    """A question that the server finds too long for its context is explained as such."""
    return failed(scene.ask("lighthouse " * CONTEXT_TOKENS), "context_too_long")


def two_at_once(scene: Scene) -> str:
    """Two answers are written at the same time, and one more has to wait."""
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(scene.ask, ["Name three colours."] * (ANSWERS + 1)))
    return "; ".join(completed(answer).partition(":")[0] for answer in answers)


def thinking_off(scene: Scene) -> str:
    """A template setting that switches thinking off is accepted."""
    scene.connect("silent", chat_template_kwargs={"enable_thinking": False})
    return completed(scene.ask("What is two and two?", "silent"))


def wrong_key(scene: Scene) -> str:
    """A wrong key is explained as such."""
    scene.connect("locked", "another-key")
    return failed(scene.ask("Hello", "locked"), "upstream_auth")


def server_dies(scene: Scene) -> str:
    """A server that dies in the middle leaves its text and an error; then it is unreachable."""

    def kill(seen: Streamed) -> bool:
        if has_text(seen):
            scene.llama.process.kill()
        return False

    broken = scene.ask(STORY, ENDLESS, kill)
    assert broken.text(), "no text was kept"
    first = failed(broken, "upstream_error")
    return f"{first}; then {failed(scene.ask('Hello'), 'upstream_unreachable')}"


CHECKS = (
    *(supplier_test, plain_question, next_question, document, stop, max_tokens),
    *(too_long, two_at_once, thinking_off, wrong_key, server_dies),  # the last ends the server
)


def main() -> int:
    """Run all checks; return the exit code."""
    try:
        with llama_server() as llama, service(1, {}) as product:
            scene = Scene(product, llama)
            return min(1, sum(not passes(check, scene) for check in CHECKS))
    except (Skipped, KeyboardInterrupt) as reason:
        print(str(reason) or "Stopped.", file=sys.stderr)
        return 1


def passes(check: Callable[[Scene], str], scene: Scene) -> bool:
    """Run a check and print what it saw."""
    try:
        word, seen = "ok", check(scene)
    except Exception as fault:
        word, seen = "FAILED", f"{type(fault).__name__}: {fault}"
    print(f"{word:6} {check.__doc__}\n       {seen}", flush=True)
    return word == "ok"


if __name__ == "__main__":
    sys.exit(main())
