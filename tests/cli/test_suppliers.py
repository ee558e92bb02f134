"""`suppliers`: options of a supplier through the real service."""

import json

import pytest

from tests.support.modelserver import ModelServer
from tests.support.terminal import Run

pytestmark = pytest.mark.server


def test_options_are_set_changed_and_removed(run: Run, model_server: ModelServer) -> None:
    add = ["suppliers", "add", "--base-url", model_server.base_url, "--name", "with-options"]
    refused = run(*add, "-o", "idle_seconds=soon", input="sk-options\n")
    assert refused.exit_code == 1 and "idle_seconds" in refused.stderr
    options = ["-o", "idle_seconds=120", "-o", 'headers={"X-Team": "blue"}']
    options += ["-o", "stream_usage=false"]
    added = run(*add, *options, "--json", input="sk-options\n")
    assert added.exit_code == 0, added.output
    expected = {"idle_seconds": 120, "headers": {"X-Team": "***"}, "stream_usage": False}
    assert json.loads(added.stdout)["options"] == expected

    model_server.requests.clear()
    changed = run("suppliers", "set", "with-options", "--option", "idle_seconds=null", "--json")
    del expected["idle_seconds"]
    assert json.loads(changed.stdout)["options"] == expected
    assert run("suppliers", "test", "with-options").exit_code == 0
    assert any(
        logged.headers.get("x-team", logged.headers.get("X-Team")) == "blue"
        for logged in model_server.requests
    )
    assert run("suppliers", "delete", "with-options", "--yes").exit_code == 0


def test_models_are_replaced(run: Run, model_server: ModelServer) -> None:
    add = ["suppliers", "add", "--base-url", model_server.base_url, "--name", "with-models"]
    assert run(*add, "-m", "echo", input="sk-models\n").exit_code == 0
    changed = run("suppliers", "set", "with-models", "-m", "one", "-m", "two", "--json")
    assert json.loads(changed.stdout)["models"] == ["one", "two"]
    assert run("suppliers", "delete", "with-models", "--yes").exit_code == 0


def test_an_address_is_saved_as_the_test_understands_it(
    run: Run, model_server: ModelServer
) -> None:
    host = model_server.base_url.removesuffix("/v1").removeprefix("http://")
    add = ["suppliers", "add", "--base-url", host, "--name", "by-host", "--json"]
    added = run(*add, input="Bearer sk-host\n")
    assert json.loads(added.stdout)["base_url"] == model_server.base_url
    assert run("suppliers", "test", "by-host").exit_code == 0
    assert model_server.requests[-1].headers["authorization"] == "Bearer sk-host"
    assert run("suppliers", "delete", "by-host", "--yes").exit_code == 0


@pytest.mark.parametrize("written", ["idle_seconds", "=120", ""])
def test_an_option_without_name_and_value_is_refused(run: Run, written: str) -> None:
    done = run("suppliers", "set", "openai", "--option", written)
    assert done.exit_code == 1 and "NAME=VALUE" in done.stderr


def test_a_supplier_of_the_environment_and_an_empty_change_are_refused(run: Run) -> None:
    done = run("suppliers", "set", "openai", "--option", "idle_seconds=120")
    assert done.exit_code == 1 and "OPENAI_API_KEY" in done.stderr
