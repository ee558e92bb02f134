"""The systemd units of the guides: what they refuse the program, it does not need."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.settings import BUILTIN
from tests.support.docs import DEPLOYMENT, read, readme_blocks
from tests.support.service import ROOT, Service, wait_for
from tests.support.small_disk import NEEDS_MOUNT
from tests.support.unit import NOBODY, Unit

UNITS = sorted(DEPLOYMENT.glob("*.service"))
SERVICE, BACKUP = DEPLOYMENT / "chatapp.service", DEPLOYMENT / "chatapp-backup.service"
MOST_EXPOSED = 2.5
AS_UNIT = ("-m", "tests.support.unit")
RUNS_PRIVATELY = re.compile(r"CapEff:\s+0+\n.*CapBnd:\s+0+\n.*NoNewPrivs:\s+1\nSeccomp:\s+2", re.S)

pytestmark = pytest.mark.server


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_is_valid_and_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (exposed,) = re.findall(r"Overall exposure level for \S+: (\d+\.\d)", shown)
    assert float(exposed) <= MOST_EXPOSED, shown
    if unit == SERVICE:
        assert f"rates it {exposed}" in read(DEPLOYMENT / "systemd.md")


def test_the_units_fit_each_other_and_the_guide() -> None:
    service, backup = Unit(SERVICE), Unit(BACKUP)
    for name in ("User", "WorkingDirectory", "StateDirectory", "UMask"):
        assert service.one(name) == backup.one(name)
    guide = "\n".join(readme_blocks(DEPLOYMENT / "systemd.md", ""))
    assert f"useradd --system --home-dir /var/lib/{service.one('StateDirectory')}" in guide
    assert f"CHATAPP_HOME=/var/lib/{service.one('StateDirectory')}" in guide
    assert f"cd {service.one('WorkingDirectory')}" in guide
    [copied] = re.findall(r"cp (\S+) /etc/systemd/system/", guide)
    assert ROOT / copied == SERVICE
    # Stopping may take as long as answers have to end, and each of its processes.
    assert int(service.one("TimeoutStopSec")) == 45


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A data folder of `nobody`, whom all folders above let through."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    return folder


@NEEDS_MOUNT
def test_the_service_works_within_the_limits_of_its_unit(state: Path, tmp_path: Path) -> None:
    """Documents are read, indexed by meaning and cited; a backup is made; all processes end."""
    told = tmp_path / "leave.md"
    told.write_text("# Leave\n\nEmployees get 27 days of paid leave in a year.\n")
    arguments = (str(SERVICE), str(state))
    with Service(state, command=(*AS_UNIT, *arguments), CHATAPP_EMBEDDER=BUILTIN) as service:
        base = service.add_documents("Rules", told)
        path = f"/api/knowledge/{base}"
        wait_for(lambda: service.get(path).json["vectors"]["state"] == "ready", "vectors")
        asked = {
            "question": "How many days of leave do employees get?",
            "llm_config": {"supplier": "builtin"},
            "knowledge_config": {"knowledge_base_id": base},
        }
        streamed = service.stream(asked)
        assert "27 days" in streamed.text() and streamed.last["type"] == "done"
        assert service.process is not None
        assert RUNS_PRIVATELY.search(Path(f"/proc/{service.process.pid}/status").read_text())
        kept = tmp_path / "backups"
        kept.mkdir(mode=0o700)
        os.chown(kept, NOBODY, NOBODY)
        command = [sys.executable, *AS_UNIT, str(BACKUP), str(state), str(kept)]
        done = subprocess.run(
            command, cwd=ROOT, env=service.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        [archive] = kept.glob("*.tar")
        assert archive.stat().st_mode & 0o777 == 0o600
        service.end()
        assert not re.search("Traceback|[Pp]ermi|Read-only", service.output()), service.output()
    assert {path.stat().st_uid for path in state.rglob("*")} == {NOBODY}
