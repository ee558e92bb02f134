"""Hosts that share a PostgreSQL database and a folder of files: each has a home of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from chatapp.child import die_with_parent
from tests.support.modelserver import ModelServer
from tests.support.postgres import NEEDS_POSTGRES, new_database
from tests.support.service import ROOT, Service, wait_for

pytestmark = [pytest.mark.server, NEEDS_POSTGRES]
KEY = Fernet.generate_key().decode()
LANGUAGES = ("C.UTF-8", "zh_CN.UTF-8")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> dict[str, str]:
    """The settings of all hosts."""
    return {
        "DATABASE_URL": new_database(postgres, "two_hosts"),
        "CHATAPP_FILES": str(tmp_path_factory.mktemp("files")),
        "CHATAPP_SECRET_KEY": KEY,
        "CHATAPP_EMBEDDER": "off",
        "CHATAPP_HELPERS": "off",
    }


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, shared: dict[str, str]
) -> Iterator[tuple[Service, Service]]:
    """Two hosts without helpers; what they need runs on a third without web workers."""
    with ExitStack() as stack:
        one = stack.enter_context(Service(tmp_path_factory.mktemp("one"), **shared))
        other = stack.enter_context(Service(tmp_path_factory.mktemp("other"), **shared))
        home = tmp_path_factory.mktemp("helpers")
        variables = {"CHATAPP_HOME": str(home), "CHATAPP_HELPERS": "worker"}
        helpers = subprocess.Popen(
            [sys.executable, "-m", "chatapp", "helpers"],
            cwd=ROOT,
            env={**one.environ, **variables},
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        stack.callback(helpers.wait, 40)
        stack.callback(helpers.terminate)
        yield one, other
        assert not {path.name for path in home.iterdir()} & {"token", "secret.key", "originals"}


def test_tokens_and_links_of_all_hosts_work_on_all_of_them(hosts: tuple[Service, Service]) -> None:
    one, other = hosts
    for service in hosts:
        token = (service.home / "token").read_text("ascii").strip()
        assert one.get("/api/auth/me", token=token).status == 200
        assert other.get("/api/auth/me", token=token).status == 200
    for made, used in ((one, other), (other, one)):
        secret = made.link().rpartition("#")[2]
        reply = used.post("/api/auth/login", {"link": secret}, token=None)
        assert reply.status == 200, reply.body


def test_a_host_that_starts_again_replaces_its_own_token_alone(
    hosts: tuple[Service, Service],
) -> None:
    one, other = hosts
    kept = (other.home / "token").read_text("ascii").strip()
    lost = (one.home / "token").read_text("ascii").strip()
    (one.home / "token").write_text("not a token")
    prepared = prepare(one.environ)
    assert prepared.returncode == 0, prepared.stdout
    assert one.get("/api/auth/me", token=kept).status == 200
    wait_for(lambda: one.get("/api/auth/me", token=lost).status == 401, what="the old one ended")


def test_a_file_is_uploaded_read_and_shown_on_three_hosts(
    hosts: tuple[Service, Service], shared: dict[str, str], tmp_path: Path
) -> None:
    one, other = hosts
    document = tmp_path / "leave.txt"
    document.write_text("Employees get 25 days of leave.")
    base = one.add_documents("Handbook", document)
    (file,) = other.get(f"/api/knowledge/{base}/files").json["items"]
    original = other.get(f"/api/knowledge/{base}/files/{file['id']}/content")
    assert (original.status, original.body) == (200, document.read_bytes())
    assert other.request("DELETE", f"/api/knowledge/{base}/files/{file['id']}").status == 204
    wait_for(
        lambda: one.get(f"/api/knowledge/{base}/files/{file['id']}/content").status == 404,
        what="the file is gone",
    )
    stored = [path for path in Path(shared["CHATAPP_FILES"]).rglob("*") if path.is_file()]
    assert document.read_bytes() not in {path.read_bytes() for path in stored}
    assert stored and not (one.home / "originals").exists()


def test_a_key_that_one_host_stored_is_sent_by_the_other(
    hosts: tuple[Service, Service], model_server: ModelServer
) -> None:
    one, other = hosts
    saved = {"name": "shared", "base_url": model_server.base_url, "api_key": "sk-of-one"}
    made = one.post("/api/suppliers", {**saved, "models": ["echo"]})
    assert made.status == 201, made.body
    asked = {"question": "q", "llm_config": {"supplier": "shared", "model": "echo"}}
    assert other.stream(asked).last["type"] == "done"
    sent = {name.lower(): value for name, value in model_server.requests[-1].headers.items()}
    assert sent["authorization"] == "Bearer sk-of-one"


def test_a_host_with_another_key_or_none_does_not_start_and_says_so(
    hosts: tuple[Service, Service], tmp_path: Path
) -> None:
    environ = {**hosts[0].environ, "CHATAPP_HOME": str(tmp_path)}
    other = {**environ, "CHATAPP_SECRET_KEY": Fernet.generate_key().decode()}
    english, chinese = (prepare(other, language) for language in LANGUAGES)
    assert english.returncode == chinese.returncode == 1
    assert english.stdout.startswith("The key of this host (CHATAPP_SECRET_KEY) is not the one")
    assert chinese.stdout.startswith("这台主机的密钥（CHATAPP_SECRET_KEY）")
    none = {**environ, "CHATAPP_SECRET_KEY": ""}
    english, chinese = (prepare(none, language) for language in LANGUAGES)
    assert english.returncode == chinese.returncode == 1
    assert english.stdout.startswith(f"This host has no key ({tmp_path}/secret.key is missing)")
    assert chinese.stdout.startswith("这台主机没有密钥")
    assert not (tmp_path / "secret.key").exists() and not (tmp_path / "token").exists()
    (tmp_path / "secret.key").write_text(KEY)
    assert prepare(none).returncode == 0


def prepare(
    environ: dict[str, str], language: str = LANGUAGES[0]
) -> "subprocess.CompletedProcess[Any]":
    """Prepare a home as each start does."""
    return subprocess.run(
        [sys.executable, "-m", "chatapp", "prepare"],
        cwd=ROOT,
        env={**os.environ, **environ, "LC_ALL": language},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
