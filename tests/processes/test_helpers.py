"""The helpers: what is started, what is replaced, and what the terminal is told."""

import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from chatapp.home import address
from tests.support.service import wait_for
from tests.support.standins import MODULES, StandIn, kill

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]
HUNG_SECONDS = 180  # until a helper that hangs is noticed and replaced


def test_hung_helpers_are_replaced(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    before = service.helpers()
    assert before is not None
    for pid in before.values():
        kill(pid, signal.SIGSTOP)
    wait_for(
        lambda: not set(before.values()) & set((service.helpers() or before).values()),
        seconds=HUNG_SECONDS,
    )
    assert "“worker” has stopped responding" in service.output()
    assert service.end() == 0
    assert not service.rest()


def test_a_killed_helper_is_reported_in_a_sentence(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    before = service.helpers()
    assert before is not None
    killed = {before["worker"], before["chroma"]}
    for pid in killed:
        kill(pid)
    wait_for(lambda: not killed & set((service.helpers() or before).values()))
    assert "“worker” ended (status -9)" in service.output()
    assert "“chroma” ended (status -9)" in service.output()
    assert str(service.home / "chroma.log") in service.output()


def test_a_restarted_server_has_another_port_and_wakes_the_worker(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    for name in ("chroma", "embedder"):
        (service.home / "idle").touch()
        wait_for(lambda: not service.pids(MODULES["worker"]))
        (service.home / "idle").unlink()
        pid, where = service.helper(name), address(service.home, name)
        assert pid is not None
        kill(pid)
        wait_for(lambda: service.helper(name) not in (None, pid))  # noqa: B023
        assert address(service.home, name) != where
        wait_for(lambda: service.helper("worker"))


def test_a_server_that_cannot_start_is_reported_once_and_tried_on_other_ports(
    service: StandIn,
) -> None:
    service.home.mkdir()
    (service.home / "broken").touch()
    service.start()
    ports = service.home / "ports"
    wait_for(lambda: ports.exists() and len(ports.read_text().split()) == 3)
    assert service.output().count("“embedder” ended (status 1)") == 1
    assert "The model is broken." not in service.output()
    assert "The model is broken." in (service.home / "embedder.log").read_text()
    assert address(service.home, "embedder") is None
    assert len(set(ports.read_text().split())) == 3
    (service.home / "broken").unlink()
    wait_for(service.helpers)


def test_chroma_is_quiet_and_its_log_is_bounded(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    log = service.home / "chroma.log"
    assert "Saving data to" in log.read_text()
    assert "Chroma" not in service.output() and "\x1b" not in service.output()
    with open(log, "a") as file:
        file.write("x" * 2_000_000)
    wait_for(lambda: log.stat().st_size < 1_000_000)


def test_chroma_starts_again_when_its_folder_was_removed(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    before = service.helper("chroma")
    shutil.rmtree(service.home / "vectors")
    wait_for(lambda: service.helper("chroma") not in (None, before))
    assert (service.home / "vectors" / "chroma.sqlite3").exists()


def test_chroma_waits_for_another_process_on_its_folder(service: StandIn) -> None:
    service.home.mkdir()
    with open(service.home / "chroma.lock", "a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        service.start()
        wait_for(lambda: service.helper("embedder") and service.helper("worker"))
        assert not service.pids(MODULES["chroma"])
        assert address(service.home, "chroma") is None
    wait_for(lambda: service.helper("chroma"))
    assert "ended" not in service.output()


def test_the_lock_lives_as_long_as_chroma_itself(service: StandIn) -> None:
    service.start()
    wait_for(service.helpers)
    pid = service.helper("chroma")
    assert pid is not None
    with open(service.home / "chroma.lock") as lock:
        assert lock.read() == str(pid)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        holders = {
            link.parts[2]
            for link in Path("/proc").glob("[0-9]*/fd/*")
            if leads_to(link, service.home / "chroma.lock")
        }
    assert holders - {str(os.getpid())} == {str(pid)}


def leads_to(link: Path, file: Path) -> bool:
    try:
        return os.readlink(link) == str(file)
    except OSError:
        return False


def test_no_chroma_where_another_one_is_set_and_no_embedder_where_it_is_off(
    service: StandIn,
) -> None:
    service.start(CHROMA_URL="http://127.0.0.1:9", CHATAPP_EMBEDDER="off")
    wait_for(lambda: service.helper("worker"))
    assert not service.pids(MODULES["chroma"]) | service.pids(MODULES["embedder"])
    assert [file.name for file in service.home.glob("*.address")] == ["web.address"]


def test_an_idle_worker_leaves_and_a_touch_wakes_the_next(service: StandIn) -> None:
    service.start()
    wait_for(lambda: service.helper("worker"))
    (service.home / "idle").touch()
    wait_for(lambda: not service.pids(MODULES["worker"]))
    (service.home / "idle").unlink()
    (service.home / "wake").touch()
    wait_for(lambda: service.helper("worker"))
    assert "ended" not in service.output()
