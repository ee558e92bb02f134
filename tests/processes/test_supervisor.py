"""gunicorn.conf.py and chatapp/processes/supervisor.py in a folder of their own, with a real Chroma around a trivial app, worker, embedder
and `prepare`."""

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatapp import home as home_files
from tests.support.service import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

APP = """
from gevent import monkey
monkey.patch_all()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"""
CLI = """
import os, pathlib, sys, time
home = pathlib.Path(os.environ["CHATAPP_HOME"])
def main():
    with open(home / "prepared", "a") as file:
        file.write(" ".join(sys.argv[1:]) + "\\n")
    if (home / "slow").exists():
        time.sleep(1000)
    if (home / "fail").exists():
        sys.exit("It cannot be prepared.")
    if "--greet" in sys.argv:
        print("  Good morning at " + sys.argv[-1])
"""
WORKER = """
import os, pathlib, subprocess, sys, time
from chatapp.child import die_with_parent
home = pathlib.Path(os.environ["CHATAPP_HOME"])
parser = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: die_with_parent(9))
(home / "parser").write_text(str(parser.pid))
(home / "worker").write_text(f"{os.getpid()} {os.nice(0)}")
while not (home / "idle").exists():
    time.sleep(0.05)
parser.kill()
"""
EMBEDDER = """
import os, pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
home = pathlib.Path(os.environ["CHATAPP_HOME"])
host, _, port = sys.argv[1].partition(":")
with open(home / "ports", "a") as file:
    file.write(port + "\\n")
if (home / "broken").exists():
    sys.exit("The model is broken.")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
HTTPServer((host, int(port)), Handler).serve_forever()
"""
BACK_SECONDS = 10  # within which everything is there again, whatever was killed
MODULES = {
    "chroma": "chromadb_rust_bindings",
    "embedder": "chatapp.processes.embedder",
    "worker": "chatapp.processes.worker",
}
RUNS = [("-w", "1"), ("-w", "4"), ("-w", "2", "--preload")]
ENDS = [(options, number) for options in RUNS for number in (signal.SIGTERM, signal.SIGKILL)]
ENDS += [(("-w", "1"), signal.SIGINT), (("-w", "2", "--preload"), signal.SIGQUIT)]


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
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options],
                cwd=self.folder,
                env=self.environ(**environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def environ(self, **more: str) -> dict[str, str]:
        """What is told to this service, and nothing that was told to the tests."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHATAPP_", "LC_", "LANG"))
        }
        return {
            **clean,
            "CHATAPP_HOME": str(self.home),
            "CHATAPP_BIND": f"127.0.0.1:{self.port}",
            **more,
        }

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the arbiter a signal and wait for it."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill_everything(self) -> None:
        """Send SIGKILL to all processes, first to those that would start others."""
        for pid in sorted(self.rest()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

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
        running = self.pids("chatapp.processes.worker")
        try:
            pid = int((self.home / "worker").read_text().split()[0])
        except (OSError, IndexError):
            return None
        return pid if pid in running else None

    def helper(self, name: str) -> int | None:
        """The process of a helper, once it has begun: a service answers where it is said to be."""
        if name == "worker":
            return self.worker()
        where = home_files.address(self.home, name)
        running = self.pids(MODULES[name])
        if where is None or len(running) != 1:
            return None
        try:
            with urllib.request.urlopen(
                f"http://{where}{home_files.HEALTH_PATHS[name]}", timeout=5
            ):
                return running.pop()
        except OSError:
            return None

    def helpers(self) -> dict[str, int] | None:
        """The processes of all helpers, once they have begun."""
        found = {name: self.helper(name) for name in MODULES}
        return {name: pid for name, pid in found.items() if pid} if all(found.values()) else None

    def web_workers(self) -> set[int]:
        """The processes that serve pages."""
        assert self.process is not None
        return self.pids("gunicorn") - {self.process.pid}

    def zombies(self) -> set[int]:
        """The processes that have ended and that the arbiter has not asked about."""
        assert self.process is not None
        states = {
            stat: stat.read_text().rpartition(")")[2].split()
            for stat in Path("/proc").glob("[0-9]*/stat")
        }
        return {
            int(stat.parts[2])
            for stat, (state, parent, *_) in states.items()
            if state == "Z" and int(parent) == self.process.pid
        }

    def rest(self) -> set[int]:
        """Every process that is left, the one that the worker started among them."""
        parser = self.home / "parser"
        sleeping = self.pids("sleep") if parser.exists() else set()
        return (
            self.pids("chatapp") | self.pids("gunicorn") | self.pids(MODULES["chroma"]) | sleeping
        )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A folder with everything that is under test and small stand-ins for the rest."""
    folder = tmp_path / "service"
    package = folder / "chatapp"
    (package / "processes").mkdir(parents=True)
    (package / "cli").mkdir()
    for part in (
        "processes/supervisor",
        "processes/helpers",
        "child",
        "home",
        "settings",
        "i18n",
        "logs",
        "__main__",
    ):
        shutil.copy(ROOT / "chatapp" / f"{part}.py", package / f"{part}.py")
    model = folder / home_files.MODEL_FOLDER.relative_to(ROOT)
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    shutil.copy(ROOT / "gunicorn.conf.py", folder)
    shutil.copytree(ROOT / "static" / "i18n", folder / "static" / "i18n")
    for path, text in (
        ("wsgi.py", APP),
        ("chatapp/__init__.py", ""),
        ("chatapp/cli/commands.py", CLI),
        ("chatapp/processes/worker.py", WORKER),
        ("chatapp/processes/embedder.py", EMBEDDER),
    ):
        (folder / path).write_text(text)
    service = Service(folder)
    yield service
    service.kill_everything()


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_start_prepares_greets_once_and_keeps_nice_helpers(
    service: Service, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_until(service.helpers)
    helpers = service.helpers()
    assert helpers is not None
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.said() == f"  Good morning at 127.0.0.1:{service.port}\n\n"
    assert (
        0
        < niceness(helpers["chroma"])
        <= niceness(helpers["embedder"])
        < 10
        <= niceness(helpers["worker"])
    )
    assert (service.home / "vectors" / "chroma.sqlite3").exists()
    assert home_files.helpers_run(service.home)
    assert home_files.running(service.home) == f"127.0.0.1:{service.port}"


@pytest.mark.parametrize(("options", "number"), ENDS, ids=str)
def test_nothing_outlives_the_service(
    service: Service, options: tuple[str, ...], number: signal.Signals
) -> None:
    service.start(*options)
    wait_until(service.helpers)
    assert service.end(number) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    if number == signal.SIGKILL:
        wait_until(lambda: not service.rest(), 5)
    assert not service.rest()
    assert not home_files.helpers_run(service.home)
    assert not list(service.home.glob("*.address*"))
    assert "Traceback" not in service.said()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_reload_prepares_again_and_keeps_the_helpers(
    service: Service, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_until(service.helpers)
    before, web = service.helpers(), service.web_workers()
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not web & service.web_workers())
    assert service.prepared()[1:] == ["prepare"]
    wait_until(service.answers)
    assert service.helpers() == before
    assert service.said().count("Good morning") == 1
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_whatever_is_killed_is_back_and_the_rest_goes_on(
    service: Service, options: tuple[str, ...]
) -> None:
    service.start(*options)
    count = int(options[1])
    wait_until(lambda: service.helpers() and len(service.web_workers()) == count)
    for name in MODULES:
        before = service.helpers()
        assert before is not None
        killed(before[name])
        wait_until(lambda: (service.helpers() or before)[name] != before[name], BACK_SECONDS)  # noqa: B023
        after = service.helpers()
        assert after is not None
        assert {other for other in MODULES if after[other] == before[other]} == set(MODULES) - {
            name
        }
    web = service.web_workers()
    (children,) = service.pids("chatapp.processes.supervisor")
    killed(children)
    wait_until(
        lambda: service.pids("chatapp.processes.supervisor") - {children} and service.helpers(),
        BACK_SECONDS,
    )
    assert service.web_workers() == web
    wait_until(lambda: not service.zombies())
    killed(min(web))
    wait_until(
        lambda: len(service.web_workers() - web) == 1 and len(service.web_workers()) == count,
        BACK_SECONDS,
    )
    assert service.answers()
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_reload_brings_killed_helpers_back_too(
    service: Service, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_until(service.helpers)
    (children,) = service.pids("chatapp.processes.supervisor")
    assert service.process is not None
    killed(children)
    service.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: service.pids("chatapp.processes.supervisor") - {children} and service.helpers(),
        BACK_SECONDS,
    )
    wait_until(service.answers)
    assert len(service.pids("chatapp.processes.supervisor")) == 1
    assert service.end() == 0
    assert not service.rest()


def test_children_that_are_killed_again_and_again_come_back(service: Service) -> None:
    service.start()
    for _ in range(2):
        wait_until(service.helpers, BACK_SECONDS)
        (children,) = service.pids("chatapp.processes.supervisor")
        killed(children)
        wait_until(lambda: service.pids("chatapp.processes.supervisor") - {children}, BACK_SECONDS)  # noqa: B023
    wait_until(service.helpers, BACK_SECONDS)
    assert service.said().count("supervisor process ended") == 2


def test_a_killed_helper_is_told_in_a_sentence(service: Service) -> None:
    service.start()
    wait_until(service.helpers)
    before = service.helpers()
    assert before is not None
    killed(before["worker"])
    killed(before["chroma"])
    wait_until(
        lambda: (
            not set(before.values())
            & set((service.helpers() or before).values()) - {before["embedder"]}
        )
    )
    assert "“worker” ended (status -9)" in service.said()
    assert "“chroma” ended (status -9)" in service.said()
    assert str(service.home / "chroma.log") in service.said()


def test_a_service_that_came_back_has_another_port_and_wakes_the_worker(service: Service) -> None:
    service.start()
    wait_until(service.helpers)
    (service.home / "idle").touch()
    wait_until(lambda: not service.pids("chatapp.processes.worker"))
    (service.home / "idle").unlink()
    for name in ("chroma", "embedder"):
        (service.home / "idle").unlink(missing_ok=True)
        pid, where = service.helper(name), home_files.address(service.home, name)
        assert pid is not None
        killed(pid)
        wait_until(lambda: service.helper(name) not in (None, pid))  # noqa: B023
        assert home_files.address(service.home, name) != where
        wait_until(service.worker)
        (service.home / "idle").touch()
        wait_until(lambda: not service.pids("chatapp.processes.worker"))


def test_a_service_that_dies_at_once_is_told_once_and_tried_on_other_ports(
    service: Service,
) -> None:
    service.home.mkdir()
    (service.home / "broken").touch()
    service.start()
    wait_until(
        lambda: (
            (service.home / "ports").exists()
            and len((service.home / "ports").read_text().split()) == 3
        )
    )
    assert service.said().count("“embedder” ended (status 1)") == 1
    assert "The model is broken." not in service.said()
    assert "The model is broken." in (service.home / "embedder.log").read_text()
    assert home_files.address(service.home, "embedder") is None
    assert len(set((service.home / "ports").read_text().split())) == 3
    (service.home / "broken").unlink()
    wait_until(service.helpers, BACK_SECONDS)


def test_chroma_is_quiet_and_its_log_is_bounded(service: Service) -> None:
    service.start()
    wait_until(service.helpers)
    log = service.home / "chroma.log"
    assert "Saving data to" in log.read_text()
    assert "Chroma" not in service.said() and "\x1b" not in service.said()
    with open(log, "a") as file:
        file.write("x" * 2_000_000)
    wait_until(lambda: log.stat().st_size < 1_000_000)


def test_chroma_starts_again_where_its_folder_was_removed(service: Service) -> None:
    service.start()
    wait_until(service.helpers)
    before = service.helper("chroma")
    shutil.rmtree(service.home / "vectors")
    wait_until(lambda: service.helper("chroma") not in (None, before), BACK_SECONDS)
    assert (service.home / "vectors" / "chroma.sqlite3").exists()


def test_chroma_waits_for_whoever_has_its_folder(service: Service) -> None:
    service.home.mkdir()
    with open(service.home / "chroma.lock", "a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        service.start()
        wait_until(lambda: service.helper("embedder") and service.worker())
        assert not service.pids(MODULES["chroma"])
        assert home_files.address(service.home, "chroma") is None
    wait_until(lambda: service.helper("chroma"))
    assert "ended" not in service.said()


def test_the_lock_lives_as_long_as_chroma_itself(service: Service) -> None:
    service.start()
    wait_until(service.helpers)
    pid = service.helper("chroma")
    assert pid is not None
    with open(service.home / "chroma.lock") as lock:
        assert lock.read() == str(pid)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        holders = {
            fd.parts[2]
            for fd in Path("/proc").glob("[0-9]*/fd/*")
            if leads_to(fd, service.home / "chroma.lock")
        }
    assert holders - {str(os.getpid())} == {str(pid)}


def leads_to(link: Path, file: Path) -> bool:
    try:
        return os.readlink(link) == str(file)
    except OSError:
        return False


def test_everything_killed_and_started_at_once_has_one_chroma(service: Service) -> None:
    service.start("-w", "2")
    wait_until(service.helpers)
    for _ in range(3):
        old = service.pids(MODULES["chroma"])
        service.kill_everything()
        service.begin("-w", "2")
        wait_until(lambda: at_most_one_chroma(service) and service.helpers() and service.answers())
        assert service.pids(MODULES["chroma"]) != old
    assert "Another" not in service.said()
    service.kill_everything()
    wait_until(lambda: not home_files.running(service.home))
    assert home_files.address(service.home, home_files.WEB), "it is left, and does not count"


def at_most_one_chroma(service: Service) -> bool:
    assert len(service.pids(MODULES["chroma"])) <= 1
    return True


def test_no_chroma_where_another_one_is_set_and_no_embedder_where_it_is_off(
    service: Service,
) -> None:
    service.start(CHROMA_URL="http://127.0.0.1:9", CHATAPP_EMBEDDER="off")
    wait_until(service.worker)
    assert not service.pids(MODULES["chroma"]) | service.pids(MODULES["embedder"])
    assert [file.name for file in service.home.glob("*.address")] == ["web.address"]


def test_a_reload_follows_the_settings(service: Service) -> None:
    model = service.folder / home_files.MODEL_FOLDER.relative_to(ROOT) / "model.json"
    model.unlink()
    service.start()
    wait_until(lambda: service.helper("chroma") and service.worker())
    assert not service.pids(MODULES["embedder"])
    chroma = service.helper("chroma")
    model.write_text("{}")
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    wait_until(service.helpers)
    assert service.helper("chroma") == chroma
    (service.folder / ".env").write_text("CHROMA_URL=http://127.0.0.1:9\n")
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not service.pids(MODULES["chroma"]))
    wait_until(lambda: home_files.address(service.home, "chroma") is None)
    assert service.helper("embedder")


def test_ctrl_c_ends_quietly(service: Service) -> None:
    """From a terminal the signal goes to the whole group in the foreground."""
    terminal, theirs = pty.openpty()
    service.process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w", "2"],
        cwd=service.folder,
        env=service.environ(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    wait_until(lambda: service.answers() and service.helpers())
    os.read(terminal, 65536)
    os.write(terminal, b"\x03")
    assert service.process.wait(30) == 0
    assert not service.rest()
    os.set_blocking(terminal, False)
    try:
        assert os.read(terminal, 65536).strip() == b"^C"
    finally:
        os.close(terminal)


def test_an_idle_worker_leaves_and_a_touch_wakes_the_next(service: Service) -> None:
    service.start()
    wait_until(service.worker)
    (service.home / "idle").touch()
    wait_until(lambda: not service.pids("chatapp.processes.worker"))
    (service.home / "idle").unlink()
    (service.home / "wake").touch()
    wait_until(service.worker)
    assert "ended" not in service.said()


def test_ctrl_c_while_it_starts_ends_quietly_too(service: Service) -> None:
    service.home.mkdir()
    (service.home / "slow").touch()
    service.begin()
    wait_until((service.home / "prepared").exists)
    assert service.end(signal.SIGINT) == 130
    wait_until(lambda: not service.rest())
    assert service.said() == ""


def test_a_second_service_on_the_same_home_is_refused(service: Service) -> None:
    first = service.start().process
    assert first is not None
    service.port = free_port()
    second = service.begin()
    assert second.wait(30) == 1
    service.process = first
    assert f"Another instance (process {first.pid}) is using {service.home}" in service.said()
    assert "Traceback" not in service.said()
    assert service.end() == 0


def test_a_start_right_after_a_kill_waits_for_the_home(service: Service) -> None:
    service.start()
    service.end(signal.SIGKILL)
    service.port = free_port()
    service.start()


def test_a_taken_port_is_one_sentence(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin().wait(30) == 1
    assert service.said().startswith(f"Port {service.port} on 127.0.0.1 is in use")
    assert len(service.said().splitlines()) == 1
    assert not service.home.exists()


def test_a_failed_preparation_is_one_sentence(service: Service) -> None:
    service.home.mkdir()
    (service.home / "fail").touch()
    assert service.begin("--preload").wait(30) == 1
    assert service.said() == "It cannot be prepared.\n"
    wait_until(lambda: not service.rest())


def test_a_home_that_cannot_be_written_is_one_sentence(service: Service) -> None:
    service.home.write_text("a file stands here")
    assert service.begin().wait(30) == 1
    assert (
        service.said()
        == f"{service.home} is not writable. Choose another folder with CHATAPP_HOME.\n"
    )


def test_faulty_settings_are_named_all_at_once(service: Service) -> None:
    assert service.begin(CHATAPP_AUTH="maybe", CHATAPP_MAX_STREAMS="many").wait(30) == 1
    assert (
        service.said()
        == "CHATAPP_AUTH must be accounts or off.\nCHATAPP_MAX_STREAMS must be a whole number.\n"
    )


def test_the_terminal_speaks_chinese_where_it_is_set_to(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin(LANG="zh_CN.UTF-8").wait(30) == 1
    assert service.said().startswith(f"127.0.0.1 的端口 {service.port} 已被")
