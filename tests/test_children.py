"""gunicorn.conf.py and chatapp/children.py in a folder of their own, around a trivial app, worker and `prepare`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatapp.children import helpers_run

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

APP = """
from gevent import monkey
monkey.patch_all()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"""
CLI = """
import os, pathlib, sys
home = pathlib.Path(os.environ["CHATAPP_HOME"])
def main():
    with open(home / "prepared", "a") as file:
        file.write(" ".join(sys.argv[1:]) + "\\n")
    if (home / "fail").exists():
        sys.exit("It cannot be prepared.")
    if "--greet" in sys.argv:
        print("  Good morning at " + sys.argv[-1])
"""
WORKER = """
import os, pathlib, subprocess, sys, time
from chatapp.children import die_with_parent
home = pathlib.Path(os.environ["CHATAPP_HOME"])
parser = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: die_with_parent(9))
(home / "parser").write_text(str(parser.pid))
(home / "worker").write_text(f"{os.getpid()} {os.nice(0)}")
while not (home / "idle").exists():
    time.sleep(0.05)
parser.kill()
"""
RUNS = [("-w", "1"), ("-w", "4"), ("-w", "2", "--preload")]


class Service:
    """A service in its own folder, home and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "instance"
        self.port = free_port()
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, **environ: str) -> "Service":
        """Start gunicorn and wait until the app answers."""
        self.begin(*options, **environ)
        wait_until(self.answers)
        return self

    def begin(self, *options: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start gunicorn as a person does, in a session of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHATAPP_", "LC_", "LANG"))}
        own = {"CHATAPP_HOME": str(self.home), "CHATAPP_BIND": f"127.0.0.1:{self.port}"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options],
                cwd=self.folder,
                env={**clean, **own, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the arbiter a signal and wait for it."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(15)

    def answers(self) -> bool:
        """Whether the app is served."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as response:
                return bool(response.read() == b"here")
        except OSError:
            return False

    def said(self) -> str:
        """Everything that the terminal shows."""
        return self.log.read_text()

    def prepared(self) -> list[str]:
        """Which preparations ran."""
        return (self.home / "prepared").read_text().splitlines()

    def pids(self, module: str) -> set[int]:
        """The processes of this folder that run a module."""
        found = set()
        for entry in Path("/proc").iterdir():
            try:
                mine = entry.name.isdigit() and os.readlink(entry / "cwd") == str(self.folder)
                if mine and module.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return found

    def worker(self) -> int | None:
        """The helper's process, once it has begun."""
        running = self.pids("chatapp.worker")
        try:
            pid = int((self.home / "worker").read_text().split()[0])
        except (OSError, IndexError):
            return None
        return pid if pid in running else None

    def rest(self) -> set[int]:
        """Every process that is left, the one that the worker started among them."""
        parser = self.home / "parser"
        sleeping = self.pids("sleep") if parser.exists() else set()
        return self.pids("chatapp") | self.pids("gunicorn") | sleeping


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A folder with everything that is under test and small stand-ins for the rest."""
    folder = tmp_path / "service"
    package = folder / "chatapp"
    package.mkdir(parents=True)
    for name in ("children.py", "settings.py", "words.py", "__main__.py"):
        shutil.copy(ROOT / "chatapp" / name, package)
    shutil.copy(ROOT / "gunicorn.conf.py", folder)
    shutil.copytree(ROOT / "static" / "i18n", folder / "static" / "i18n")
    for path, text in (("wsgi.py", APP), ("chatapp/__init__.py", ""), ("chatapp/cli.py", CLI), ("chatapp/worker.py", WORKER)):
        (folder / path).write_text(text)
    service = Service(folder)
    yield service
    for pid in service.rest():
        os.kill(pid, signal.SIGKILL)
    if service.process is not None:
        service.process.wait()


def wait_until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_start_prepares_greets_once_and_keeps_a_nice_worker(service: Service, options: tuple[str, ...]) -> None:
    service.start(*options)
    wait_until(service.worker)
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.said() == f"  Good morning at 127.0.0.1:{service.port}\n\n"
    assert int((service.home / "worker").read_text().split()[1]) >= 10
    assert helpers_run(service.home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_nothing_outlives_the_service(service: Service, options: tuple[str, ...], number: signal.Signals) -> None:
    service.start(*options)
    wait_until(service.worker)
    assert service.end(number) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    if number == signal.SIGKILL:
        wait_until(lambda: not service.rest(), 5)
    assert not service.rest()
    assert not helpers_run(service.home)


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_reload_prepares_again_and_keeps_the_helpers(service: Service, options: tuple[str, ...]) -> None:
    service.start(*options)
    wait_until(service.worker)
    before = service.worker()
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(service.prepared()) == 2)
    assert service.prepared()[1] == "prepare"
    wait_until(service.answers)
    assert service.worker() == before
    assert service.said().count("Good morning") == 1
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_the_service_goes_on_without_its_helpers_and_a_reload_brings_them_back(
    service: Service, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_until(service.worker)
    (children,) = service.pids("chatapp.children")
    os.kill(children, signal.SIGKILL)
    wait_until(lambda: not service.pids("chatapp.worker"), 5)
    assert service.answers()
    assert not helpers_run(service.home)
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    wait_until(service.worker)
    assert helpers_run(service.home)
    wait_until(service.answers)
    assert service.end() == 0
    assert not service.rest()


def test_a_worker_that_dies_is_started_again(service: Service) -> None:
    service.start()
    wait_until(service.worker)
    first = service.worker()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: service.worker() not in (None, first))
    assert "“worker” ended (status -9)" in service.said()


def test_an_idle_worker_leaves_and_a_touch_wakes_the_next(service: Service) -> None:
    service.start()
    wait_until(service.worker)
    (service.home / "idle").touch()
    wait_until(lambda: not service.pids("chatapp.worker"))
    (service.home / "idle").unlink()
    (service.home / "wake").touch()
    wait_until(service.worker)
    assert "ended" not in service.said()


def test_a_second_service_on_the_same_home_is_refused(service: Service) -> None:
    first = service.start().process
    assert first is not None
    service.port = free_port()
    second = service.begin()
    assert second.wait(15) == 1
    service.process = first
    assert f"Another service (process {first.pid}) uses {service.home}" in service.said()
    assert "Traceback" not in service.said()
    assert service.end() == 0


def test_a_start_right_after_a_kill_waits_for_the_home(service: Service) -> None:
    service.start()
    service.end(signal.SIGKILL)
    service.port = free_port()
    service.start()


def test_a_taken_port_is_one_sentence(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin().wait(15) == 1
    assert service.said().startswith(f"Port {service.port} on 127.0.0.1 is taken")
    assert len(service.said().splitlines()) == 1
    assert not service.home.exists()


def test_a_failed_preparation_is_one_sentence(service: Service) -> None:
    service.home.mkdir()
    (service.home / "fail").touch()
    assert service.begin("--preload").wait(15) == 1
    assert service.said() == "It cannot be prepared.\n"
    wait_until(lambda: not service.rest())


def test_a_home_that_cannot_be_written_is_one_sentence(service: Service) -> None:
    service.home.write_text("a file stands here")
    assert service.begin().wait(15) == 1
    assert service.said() == f"{service.home} cannot be written. Choose another folder with CHATAPP_HOME.\n"


def test_faulty_settings_are_named_all_at_once(service: Service) -> None:
    assert service.begin(CHATAPP_AUTH="maybe", CHATAPP_MAX_STREAMS="many").wait(15) == 1
    assert service.said() == "CHATAPP_AUTH takes accounts or off.\nCHATAPP_MAX_STREAMS takes a number.\n"


def test_the_terminal_speaks_chinese_where_it_is_set_to(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin(LANG="zh_CN.UTF-8").wait(15) == 1
    assert service.said().startswith(f"127.0.0.1 的端口 {service.port} 已被")
