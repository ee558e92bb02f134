"""The commands of docs/api.md work in order, with the ids that earlier ones returned."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.docs import API, readme_blocks
from tests.support.images import square
from tests.support.service import PATIENCE_SECONDS, Service

pytestmark = pytest.mark.server
EVENT = re.compile(r"^data: (.*)$", re.MULTILINE)


def test_every_command_of_the_api_page_works(service: Service, tmp_path: Path) -> None:
    (tmp_path / "leave.txt").write_text("Employees get 27 days of leave.")
    (tmp_path / "chart.png").write_bytes(square())
    known: dict[str, str] = {}
    outputs = []
    for command in "".join(readme_blocks(API)).splitlines():
        assert command.startswith("curl "), f"this test cannot run: {command}"
        here = command.replace("http://127.0.0.1:8000", service.url).replace(
            "instance/token", str(service.home / "token")
        )
        for name, value in known.items():
            here = here.replace(f"<{name}>", value)
        done = subprocess.run(
            ["bash", "-c", f"{here} --fail-with-body"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        outputs.append(done.stdout)
        if events := EVENT.findall(done.stdout):
            assert json.loads(events[-1])["type"] == "done", events
            known["message_id"] = json.loads(events[0])["message_id"]
        elif "/api/knowledge " in command and "id" in (body := json.loads(done.stdout)):
            known["base_id"] = body["id"]
    asked, read_again = (output for output in outputs if EVENT.search(output))
    assert texts(asked) == texts(read_again)
    assert service.request("DELETE", f"/api/knowledge/{known['base_id']}").status == 204


def texts(stream: str) -> str:
    events = map(json.loads, EVENT.findall(stream))
    return "".join(event["data"] for event in events if event["type"] == "chunk")
