"""Run every fenced command of the READMEs."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.settings import Settings
from tests.support.docs import READMES, readme_blocks
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, wait_for

pytestmark = pytest.mark.server


def commands(readme: Path) -> list[str]:
    return [line for block in readme_blocks(readme) for line in block.strip().splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`make run`, on a free port and a home of its own."""
    service = Service(tmp_path_factory.mktemp("home"))
    environ = {**service.environ, "HOME": os.environ["HOME"]}
    with subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            wait_for(lambda: process.poll() is not None or _answers(service), "make run serves")
            assert process.poll() is None, process.stdout and process.stdout.read()
            yield service
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _answers(service: Service) -> bool:
    try:
        bases = service.get("/api/knowledge").json["items"]
    except OSError:
        return False
    return bool(bases) and bases[0]["state"] == "ready"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_commands_of_the_readme_do_what_they_say(made: Service, readme: Path) -> None:
    for command in commands(readme):
        if command.startswith("make "):
            target = command.split()[1]
            done = subprocess.run(
                ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=30
            )
            assert done.returncode == 0, (command, done.stderr)
            continue
        assert command.startswith("curl "), f"this test cannot run: {command}"
        here = command.replace("http://127.0.0.1:8000", made.url).replace(
            "instance/token", str(made.home / "token")
        )
        done = subprocess.run(
            ["bash", "-c", here], capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stderr
        assert '"type":"context"' in done.stdout and '"type":"done"' in done.stdout, done.stdout
        assert re.search(r"\[\d\]", done.stdout), f"no citation in {done.stdout}"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_variables_of_the_start_command_are_valid(readme: Path) -> None:
    [assignments] = re.findall(
        r"^((?:[A-Z_]+=\S+ )+)make run$", readme.read_text("utf-8"), re.MULTILINE
    )
    settings = Settings.from_env(dict(word.split("=", 1) for word in assignments.split()))
    assert settings.openai_base_url.startswith("https://") and settings.openai_models


def test_a_first_question_is_answered_from_the_manual(made: Service) -> None:
    for question in ("How do I connect a model?", "怎样连接模型？"):
        answer = made.post("/chat", {"question": question}).json
        assert answer["sources"] and answer["answer"]
