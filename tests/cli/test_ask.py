"""`ask`: as it is written, with sources, stopped by Ctrl-C, and through a line that breaks."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatapp.cli.ask import Printer
from tests.support.modelserver import ModelServer
from tests.support.relay import Relay
from tests.support.service import PATIENCE_SECONDS, ROOT, TOKEN, Service, free_port, wait_for
from tests.support.terminal import Run, environ, start

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def handbook(service: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("handbook") / "leave.md"
    file.write_text("# Leave\n\nEvery employee gets 27 days of paid leave in a year.\n")
    service.add_documents("Handbook of the terminal", file)
    return "Handbook of the terminal"


def test_an_answer_comes_with_its_sources(run: Run, handbook: str) -> None:
    done = run(
        "ask", "How many days of leave?", "--base", handbook, "--model", "builtin/extractive"
    )
    assert done.exit_code == 0
    answer, _, sources = done.stdout.partition("\n\nSources\n")
    assert "27 days" in answer and "[1]" in answer
    assert "[1] leave.md" in sources and "27 days" in sources


def test_without_a_base_all_of_ones_own_are_asked_and_what_cites_nothing_says_so(
    run: Run, handbook: str
) -> None:
    done = run(
        "ask",
        "How many days of paid leave does every employee get?",
        "--model",
        "builtin/extractive",
    )
    assert "27 days" in done.stdout and "leave.md" in done.stdout
    plain = run("ask", "say it back", "--model", "openai/typewriter-3-100")
    assert "The answer cites no sources. Searched: " in plain.stderr and handbook in plain.stderr


def test_as_json_and_on_in_the_same_chat(run: Run, handbook: str) -> None:
    first = json.loads(
        run(
            "ask", "-", "-b", handbook, "--json", "-m", "openai/echo", input="first question\n"
        ).stdout
    )
    assert first["finish_reason"] == "stop" and first["sources"] and first["message_id"]
    second = json.loads(run("ask", "and then?", "--continue", "--json").stdout)
    assert second["session_id"] == first["session_id"] and second["answer"]
    other = json.loads(run("ask", "and then?", "--session", first["session_id"], "--json").stdout)
    assert other["session_id"] == first["session_id"]


def test_what_is_wrong_is_a_sentence_in_the_terminals_language(run: Run, tmp_path: Path) -> None:
    nothing = {"CHATAPP_BIND": f"127.0.0.1:{free_port()}"}
    for variables, words, said in (
        (nothing, ["ask", "x"], "make run"),
        (nothing | {"LC_ALL": "zh_CN.UTF-8"}, ["ask", "x"], "没有响应"),
        ({}, ["ask", "x", "-b", "no such base"], "There is no knowledge base “no such base”"),
        ({}, ["ask", " "], "The question is empty"),
        ({"CHATAPP_HOME": str(tmp_path)}, ["ask", "x"], "rejects this token"),
        (
            {"CHATAPP_HOME": str(tmp_path), "CHATAPP_TOKEN": TOKEN},
            ["ask", "x", "-c"],
            "no previous chat with this service",
        ),
        ({}, ["ask", "x", "-s", "nobody's"], "This chat does not exist"),
    ):
        done = run(*words, **variables)
        assert done.exit_code == 1 and said in done.stderr and not done.stdout, (words, done.output)
    refused = json.loads(run("ask", "x", "--json", **nothing).stdout)
    assert refused["error"]["code"] == "not_running"


def test_an_error_in_the_answer_is_told_and_is_the_exit_code(run: Run) -> None:
    done = run("ask", "x", "-m", "openai/refuse-500")
    assert done.exit_code == 1 and "reported an internal error" in done.stderr
    told = run("ask", "x", "-m", "openai/refuse-500", "--json")
    assert told.exit_code == 1 and json.loads(told.stdout)["error"]["code"] == "upstream_error"


def test_the_tokens_of_this_machine_are_shown_to_no_other(run: Run, service: Service) -> None:
    """A name for this machine that is not known as one: its service is asked without a token."""
    done = run("knowledge", "list", CHATAPP_URL=f"http://0.0.0.0:{service.port}")
    assert done.exit_code == 1 and "rejects this token" in done.stderr
    assert (
        run(
            "knowledge", "list", CHATAPP_URL=f"http://0.0.0.0:{service.port}", CHATAPP_TOKEN=TOKEN
        ).exit_code
        == 0
    )


def test_ctrl_c_stops_the_answer_at_the_service(
    service: Service, model_server: ModelServer
) -> None:
    question = "Ctrl-C of the terminal"
    with start(environ(service), "ask", question, "-m", "openai/typewriter-400-20") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(20)  # it is being typed out
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 130
        assert "Stopped." in process.stderr.read()
    asked = [request for request in model_server.asked() if question in str(request.body)]
    assert model_server.wait_for(lambda: bool(asked[-1].closed_at))


def test_a_line_that_breaks_loses_nothing_and_asks_only_once(
    service: Service, run: Run, model_server: ModelServer
) -> None:
    question = "through a broken line"
    with Relay(service.port, cut_after=3000) as relay:
        url = f"http://127.0.0.1:{relay.port}"
        done = run("ask", question, "-m", "openai/numbered-60-60", CHATAPP_URL=url)
    assert relay.connections > 1
    straight = run("ask", question, "-m", "openai/numbered-60-60")
    assert done.exit_code == 0 and done.stdout == straight.stdout
    assert sum(question in str(request.body) for request in model_server.asked()) == 2


def test_a_reader_that_leaves_stops_the_answer_as_ctrl_c_does(service: Service) -> None:
    with start(environ(service), "ask", "x", "-m", "openai/typewriter-400-20") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(PATIENCE_SECONDS) == 1
        assert not process.stderr.read().strip()
    session = json.loads((service.home / "terminal.json").read_text())[service.url]

    def answer() -> str:
        items = service.get(f"/api/sessions/{session}/messages").json["items"]
        return str(items[-1]["status"])

    wait_for(lambda: answer() != "running", what="the answer has ended")
    assert answer() == "stopped"


def test_a_reader_of_a_list_may_leave(service: Service) -> None:
    command = f"{sys.executable} -m chatapp knowledge list --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environ(service),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (1, "")


def chunk(text: str) -> dict[str, str]:
    return {"type": "chunk", "data": text}


def test_after_a_reset_only_what_is_new_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Printer(quiet=False)
    for event in (
        chunk("one two "),
        {"type": "reset", "data": {}},
        chunk("one "),
        chunk("two three"),
    ):
        shown.event(event)
    shown.end_line()
    assert capsys.readouterr().out == "one two three\n"
    for event in ({"type": "reset", "data": {}}, chunk("one other")):
        shown.event(event)
    shown.end_line()
    printed = capsys.readouterr()
    assert printed.out == "one other\n" and "This is the complete answer again" in printed.err


def test_text_that_was_thinking_is_followed_by_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = Printer(quiet=False)
    for kind, data in (
        ("chunk", "Yes, I think"),
        ("reset", {}),
        ("reasoning", "Yes, I think so."),
        ("chunk", "Yes"),
        ("reasoning", "Yes"),
        ("chunk", "."),
    ):
        shown.event({"type": kind, "data": data})
    said = capsys.readouterr()
    assert said.out == "Yes, I think\nYes." and "thinking" in said.err
    assert shown.text == "Yes."


def test_what_a_model_says_does_not_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = Printer(quiet=False)
    shown.event(chunk("a\x1b]0;title\x07b\x9b2Jc\u202ed\te\n"))
    assert capsys.readouterr().out == "a]0;titleb2Jcd\te\n"
