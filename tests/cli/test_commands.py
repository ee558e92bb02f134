"""The commands knowledge, suppliers, users and doctor; help and usage errors."""

import json
import re
import shlex
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import click
import pytest

from chatapp.cli.commands import PLACES, commands
from chatapp.cli.service import address_here
from chatapp.cli.start import greeting
from chatapp.cli.terminal import say
from chatapp.home import WEB, write_address
from chatapp.settings import Settings
from tests.support.modelserver import ModelServer
from tests.support.rerankserver import KEY, RerankServer
from tests.support.service import PATIENCE_SECONDS, ROOT, TOKEN, Service, free_port, wait_for
from tests.support.terminal import Run, environ, start

pytestmark = pytest.mark.server


def test_knowledge_bases_are_made_listed_and_deleted(run: Run) -> None:
    made = run("knowledge", "create", "Rules of the house")
    assert made.exit_code == 0
    assert re.findall(r"\(id ([0-9a-f-]{36})\)", made.stdout) == re.findall(
        r"Rules.* (\S+)", run("knowledge", "list").stdout
    )
    again = run("knowledge", "create", " Rules of the  house")
    assert again.exit_code == 1 and "already" in again.stderr
    assert re.search(r"Rules of the house\s+0\s+0\s+empty", run("knowledge", "list").stdout)
    assert "名称" in run("knowledge", "list", LC_ALL="zh_CN.UTF-8").stdout
    unasked = run("knowledge", "delete", "Rules of the house")
    assert unasked.exit_code == 1 and "--yes" in unasked.stderr
    shortened = run("knowledge", "delete", "Rules", "--yes")
    assert shortened.exit_code == 1 and "There is no knowledge base “Rules”" in shortened.stderr
    assert run("knowledge", "delete", "Rules of the house", "--yes").exit_code == 0
    assert "Rules of the house" not in run("knowledge", "list").stdout
    forbidden = run("knowledge", "delete", "Manual", "--yes")
    assert forbidden.exit_code == 1 and "manual cannot be changed" in forbidden.stderr


def test_a_supplier_is_tried_before_it_is_saved(run: Run, model_server: ModelServer) -> None:
    add = ["suppliers", "add", "--base-url", model_server.base_url, "--name", "mine"]
    refused = run(*add, input="bad-key\n")
    assert refused.exit_code == 1 and "rejected the key" in refused.stderr
    added = run(*add, input="sk-secret-of-mine\n")
    assert added.exit_code == 0 and "Connected mine" in added.stdout and "echo" in added.stdout
    assert "sk-secret-of-mine" not in added.output
    taken = run(*add, CHATAPP_SUPPLIER_KEY="sk-x")
    assert taken.exit_code == 1 and taken.stderr == "The name “mine” is already in use.\n"
    assert "mine" in run("suppliers", "list").stdout
    assert "mine responds" in run("suppliers", "test", "mine").stdout
    assert json.loads(run("suppliers", "test", "mine", "--json").stdout)["ok"]
    assert run("suppliers", "delete", "mine", "-y").exit_code == 0
    assert "There is no supplier “mine”" in run("suppliers", "test", "mine").stderr
    assert "OPENAI_API_KEY" in run("suppliers", "delete", "openai", "-y").stderr
    assert "deepseek" in run("suppliers", "presets").stdout


def test_a_service_is_found_by_what_it_left_in_its_home(
    run: Run, service: Service, tmp_path: Path
) -> None:
    assert run("knowledge", "list", CHATAPP_BIND="").exit_code == 0
    assert (
        run("link", CHATAPP_BIND="").stdout.splitlines()[1].startswith(f"  {service.url}/sign-in#")
    )
    assert f"responds at 127.0.0.1:{service.port}." in run("doctor", CHATAPP_BIND="").stdout
    told = f"127.0.0.1:{free_port()}"
    assert (
        f"No service responds at http://{told}."
        in run("knowledge", "list", CHATAPP_BIND=told).stderr
    )
    assert run("knowledge", "list", CHATAPP_BIND=told, CHATAPP_URL=service.url).exit_code == 0
    write_address(
        tmp_path, WEB, f"127.0.0.1:{service.port}"
    )  # as a service leaves it that was killed
    assert address_here(Settings(home=tmp_path)) == "127.0.0.1:8000"


def test_somebody_is_given_an_account_and_loses_it(run: Run, service: Service) -> None:
    added = json.loads(run("users", "add", "Ada", "--json").stdout)
    assert added["link"].startswith(f"{service.url}/sign-in#") and added["role"] == "user"
    login = service.post("/api/auth/login", {"link": added["link"].partition("#")[2]}, token=None)
    assert login.json["user"]["name"] == "Ada" and login.json["user"]["role"] == "user"
    cookie = login.headers["Set-Cookie"].partition(";")[0]

    def status(path: str = "/api/auth/me") -> int:
        return service.get(path, token=None, Cookie=cookie).status

    def shut_out() -> bool:  # a worker believes what it knows for a second
        return bool(wait_for(lambda: status() == 401))

    assert status() == 200 and status("/api/suppliers") == 403
    assert "already in use" in run("users", "add", "ada").stderr
    assert run("users", "disable", "Ada").exit_code == 0 and shut_out()
    assert "disabled" in run("users", "list").stdout
    assert run("users", "link", "Ada").exit_code == 1
    assert run("users", "enable", "Ada").exit_code == 0
    reset = json.loads(run("users", "reset", "Ada", "--json").stdout)["link"].partition("#")[2]
    login = service.post("/api/auth/login", {"link": reset}, token=None)
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    base = service.post(
        "/api/knowledge", {"name": "Ada's"}, token=None, Cookie=cookie, Sec_Fetch_Site="same-origin"
    )
    assert base.status == 201
    assert "--yes" in run("users", "delete", "Ada").stderr and status() == 200
    assert run("users", "delete", "Ada", "--yes").exit_code == 0 and shut_out()
    assert "There is no account" in run("users", "delete", "Ada", "--yes").stderr


def test_a_reset_ends_the_tokens_and_logins_of_an_account(run: Run, service: Service) -> None:
    def status(secret: str, **headers: str) -> int:
        return service.get("/api/auth/me", token=secret or None, **headers).status

    link = json.loads(run("users", "add", "Grace", "--json").stdout)["link"].partition("#")[2]
    login = service.post("/api/auth/login", {"link": link}, token=None)
    cookie = login.headers["Set-Cookie"].partition(";")[0]
    made = service.post("/api/auth/tokens", {}, token=None, Cookie=cookie, Origin=service.url)
    hers = made.json["token"]
    mine = service.post("/api/auth/tokens", {"name": "of the administrator"}).json["token"]
    assert (status(hers), status("", Cookie=cookie), status(mine)) == (200, 200, 200)
    assert run("users", "reset", "Grace").exit_code == 0
    wait_for(lambda: (status(hers), status("", Cookie=cookie)) == (401, 401))
    assert (status(mine), status(TOKEN)) == (200, 200)


def test_a_reset_of_the_administrator_leaves_the_terminal_working(
    run: Run, service: Service
) -> None:
    terminal = service.home / "token"
    before = terminal.read_text()
    mine = service.post("/api/auth/tokens", {}).json["token"]
    assert run("users", "reset", "admin").exit_code == 0
    wait_for(lambda: service.get("/api/auth/me", token=mine).status == 401)
    wait_for(lambda: service.get("/api/auth/me", token=before.strip()).status == 401)
    assert run("knowledge", "list").exit_code == 0
    assert service.get("/api/auth/me").status == 200, "CHATAPP_TOKEN is set by the environment"


@pytest.mark.parametrize(
    "command",
    ["disable admin", "delete admin --yes", "role admin member"],
    ids=lambda command: command.split()[0],
)
def test_the_last_administrator_stays(run: Run, command: str) -> None:
    done = run("users", *command.split())
    assert done.exit_code == 1 and "last active administrator" in done.stderr


def test_there_may_be_several_administrators(run: Run, service: Service) -> None:
    link = json.loads(run("users", "add", "Emmy", "--json").stdout)["link"].partition("#")[2]
    assert "invited" in run("users", "list").stdout
    login = service.post("/api/auth/login", {"link": link}, token=None)
    cookie = login.headers["Set-Cookie"].partition(";")[0]

    def users() -> int:
        return service.get("/api/users", token=None, Cookie=cookie).status

    assert users() == 403
    assert run("users", "role", "Emmy", "administrator").exit_code == 0
    wait_for(lambda: users() == 200)
    assert json.loads(run("users", "role", "Emmy", "member", "--json").stdout)["role"] == "user"
    wait_for(lambda: users() == 403)
    assert run("users", "role", "Emmy", "owner").exit_code == 2
    assert run("users", "delete", "Emmy", "--yes").exit_code == 0


def test_the_doctor_says_what_is_well(run: Run, service: Service) -> None:
    done = run("doctor", "--json")
    found = {(each["check"], each["state"]) for each in json.loads(done.stdout)}
    assert done.exit_code == 0 and not any(state == "fail" for _, state in found)
    assert {
        (name, "ok") for name in ("python", "page", "home", "database", "service", "helpers")
    } <= found
    assert "sk-test" not in done.stdout and "openai" in done.stdout
    assert "未发现影响运行的问题" in run("doctor", LC_ALL="zh_CN.UTF-8").stdout


def test_the_doctor_says_what_is_not(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "chatapp.db").write_text(
        "this is no database, and it is longer than a header of one would be" * 40
    )
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:  # it knows no GET
        Thread(target=other.serve_forever, daemon=True).start()
        done = run(
            "doctor",
            CHATAPP_HOME=str(home),
            CHATAPP_BIND=f"127.0.0.1:{other.server_port}",
            OPENAI_BASE_URL=f"http://127.0.0.1:{free_port()}/v1",
            HTTPS_PROXY="http://127.0.0.1:1",
        )
        other.shutdown()
    assert done.exit_code == 1
    assert f"FAIL  The database {home}/chatapp.db is damaged" in done.stdout
    assert "backups" in done.stdout
    assert "Another program responds" in done.stdout
    assert "warn  openai (" in done.stdout
    assert "warn  HTTPS_PROXY: set, but not used" in done.stdout
    wrong = run("doctor", WEB_CONCURRENCY="many")
    assert wrong.exit_code == 1 and "WEB_CONCURRENCY must be a whole number" in wrong.stdout


def test_the_doctor_checks_the_address_of_a_reranker(run: Run) -> None:
    def found(**environ: str) -> list[tuple[str, str]]:
        """Return state and message of the findings about a reranker."""
        report = json.loads(run("doctor", "--json", **environ).stdout)
        return [(one["state"], one["message"]) for one in report if one["check"] == "reranker"]

    assert found() == []
    with RerankServer() as server:
        environ = {"CHATAPP_RERANKER": "some-reranker", "CHATAPP_RERANKER_URL": server.base_url}
        ((state, message),) = found(**environ, CHATAPP_RERANKER_KEY=KEY)
        assert state == "ok" and "some-reranker" in message and server.base_url in message
        assert server.asked == []
    ((state, message),) = found(**environ)
    assert state == "warn" and "some-reranker" in message and "cannot be reached" in message


def test_before_the_first_start_the_doctor_makes_nothing(run: Run, tmp_path: Path) -> None:
    done = run(
        "doctor", CHATAPP_HOME=str(tmp_path / "new"), CHATAPP_BIND=f"127.0.0.1:{free_port()}"
    )
    assert done.exit_code == 0 and "make run" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["backup", "compact", "users list", "link", "move-database postgresql://db/chat"]
)
def test_before_the_first_start_there_is_nothing_to_do(
    run: Run, tmp_path: Path, command: str
) -> None:
    home = tmp_path / "home"
    result = run(*command.split(), CHATAPP_HOME=str(home))
    assert result.exit_code == 1
    assert result.stderr == say("never_started") + "\n"
    assert not home.exists()


def written(service: Service, language: str, *words: str) -> tuple[int, str, str]:
    process = start(environ(service, LC_ALL=language), *words)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def test_help_and_what_was_written_wrongly_are_in_the_readers_language(service: Service) -> None:
    status, said, _ = written(service, "zh_CN.UTF-8", "sync", "--help")
    words = re.sub(r"[^\s]*python.*? sync|--?[a-z-]+|JSON|DIR|NAME|OpenAI", "", said)
    assert status == 0 and not re.search("[a-zA-Z]", words), words
    assert written(service, "zh_CN.UTF-8", "sync", "--nothing")[2].startswith(
        "未知选项：--nothing\n查看帮助："
    )
    status, _, said = written(service, "C", "ask")
    assert status == 2 and said.startswith("QUESTION is required.\nFor help: ")


def options(command: click.Command) -> set[str]:
    """Return the options of a command and of all below it."""
    context = click.Context(command)
    found = {option for param in command.get_params(context) for option in param.opts}
    names = command.list_commands(context) if isinstance(command, click.Group) else []
    below = [command.get_command(context, name) for name in names]
    return found.union(*(options(each) for each in below if each is not None))


def test_the_documents_write_commands_that_there_are() -> None:
    """Every command with its options, in blocks and in running text."""
    written = []
    for name in ("README.md", "README.zh-CN.md", "docs/manual/en.md", "docs/manual/zh-CN.md"):
        text = (ROOT / name).read_text("utf-8")
        written += re.findall(r"python -m chatapp ([^`\n]*)", text) + re.findall(
            r"`(?:docker compose exec chatapp )?chatapp ([^`\n]+)`", text
        )
        written += re.findall(rf"`((?:{'|'.join(PLACES)})(?: [^`\n]+)?)`", text)
        assert set(re.findall(r"`(--[a-z-]+)", text)) <= options(commands)
    assert len(written) > 40
    for line in written:
        group: click.Command = commands
        for word in shlex.split(line):
            if isinstance(group, click.Group) and word != "…":
                found = group.get_command(click.Context(group), word)
                assert found is not None, line
                group = found
            elif word.startswith("--"):
                assert any(word in param.opts for param in group.params), line


def test_a_start_loads_no_other_command(service: Service) -> None:
    code = """
import sys
import chatapp.cli.commands as cli
cli.commands.get_command(None, "prepare")
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environ(service),
    )
    loaded = set(done.stdout.split())
    assert "chatapp.cli.start" in loaded
    assert not loaded & {
        f"chatapp.cli.{name}"
        for name in ("ask", "sync", "knowledge", "suppliers", "users", "doctor")
    }


def test_the_greeting_of_a_unix_socket_names_its_path(tmp_path: Path) -> None:
    shown = greeting(Settings(home=tmp_path), "unix:/run/chat.sock", "secret", 1)
    assert "unix:/run/chat.sock\n" in shown
    assert "curl -N --unix-socket /run/chat.sock http://localhost/chat/stream " in shown
    behind_a_proxy = Settings(home=tmp_path, url="https://chat.example")
    shown = greeting(behind_a_proxy, "unix:/run/chat.sock", "secret", 1)
    assert "https://chat.example/sign-in#secret" in shown
