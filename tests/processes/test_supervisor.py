"""Starts, reloads, ends and kills of all processes, under `python app.py` and under gunicorn."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from chatapp.home import WEB, address, helpers_run, running
from tests.support.service import PATIENCE_SECONDS, free_port, wait_for
from tests.support.standins import MODULES, ROOT, SUPERVISOR, StandIn, kill, parent

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]
GONE_SECONDS = 30
RUNS = [("-w", "1"), ("-w", "4"), ("-w", "2", "--preload")]
TEST_RUN = """
import sys
from pathlib import Path
from tests.support.service import wait_for
from tests.support.standins import StandIn
service = StandIn(Path(sys.argv[1]), sys.argv[2]).start("-w", "2")
wait_for(service.helpers)
print("started", flush=True)
sys.stdin.read()
"""
ENDS = [(options, number) for options in RUNS for number in (signal.SIGTERM, signal.SIGKILL)]
ENDS += [(("-w", "1"), signal.SIGINT), (("-w", "2", "--preload"), signal.SIGQUIT)]


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_start_prepares_greets_once_and_keeps_nice_helpers(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_for(service.helpers)
    helpers = service.helpers()
    assert helpers is not None
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.output() == f"  Good morning at 127.0.0.1:{service.port}\n\n"
    chroma, embedder, worker = (niceness(helpers[name]) for name in MODULES)
    assert 0 < chroma <= embedder < 10 <= worker
    assert (service.home / "vectors" / "chroma.sqlite3").exists()
    assert running(service.home) == f"127.0.0.1:{service.port}"
    assert not (service.home / "greeting").exists()


@pytest.mark.parametrize(("options", "number"), ENDS, ids=str)
def test_nothing_outlives_the_service(
    service: StandIn, options: tuple[str, ...], number: signal.Signals
) -> None:
    service.start(*options)
    wait_for(service.helpers)
    assert service.end(number) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    if number == signal.SIGKILL:
        wait_for(lambda: not service.rest(), seconds=GONE_SECONDS)
    assert not service.rest()
    assert running(service.home) is None
    assert not helpers_run(service.home)
    if number != signal.SIGKILL:
        assert not list(service.home.glob("*.address*"))
    assert "Traceback" not in service.output()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_reload_prepares_again_and_keeps_the_helpers(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_for(lambda: service.helpers() and len(service.web_workers()) == int(options[1]))
    before, web = service.helpers(), service.web_workers()
    service.send(signal.SIGHUP)
    wait_for(lambda: not web & service.web_workers())
    assert service.prepared()[1:] == ["prepare"]
    wait_for(service.answers)
    assert service.helpers() == before
    assert service.output().count("Good morning") == 1
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_killed_process_is_replaced_and_the_rest_goes_on(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.start(*options)
    count = int(options[1])
    wait_for(lambda: service.helpers() and len(service.web_workers()) == count)
    for name in MODULES:
        before = service.helpers()
        assert before is not None
        kill(before[name])
        wait_for(lambda: (service.helpers() or before)[name] != before[name])  # noqa: B023
        after = service.helpers()
        assert after is not None
        same = {other for other in MODULES if after[other] == before[other]}
        assert same == set(MODULES) - {name}
    web = service.web_workers()
    kill(min(web))
    wait_for(
        lambda: len(service.web_workers() - web) == 1 and len(service.web_workers()) == count,
    )
    wait_for(lambda: not service.zombies())
    assert service.answers()
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("service", ["app"], indirect=True)
@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_killed_arbiter_is_replaced_under_app_py(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.start(*options)
    wait_for(lambda: service.helpers() and len(service.web_workers()) == int(options[1]))
    before, helpers, web = service.arbiter(), service.helpers(), service.web_workers()
    kill(before)
    old = {before, *web}
    wait_for(lambda: not old & service.pids("gunicorn") and service.answers())
    assert service.arbiter() != before
    wait_for(lambda: running(service.home) == f"127.0.0.1:{service.port}")
    assert service.helpers() == helpers
    assert service.prepared() == [f"prepare --greet 127.0.0.1:{service.port}"]
    assert service.output().count("Good morning") == 1
    assert "The web server ended (status -9)" in service.output()
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("service", ["gunicorn"], indirect=True)
@pytest.mark.parametrize("options", RUNS, ids=" ".join)
def test_a_reload_brings_killed_helpers_back_under_gunicorn(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.start(*options)
    for _ in range(2):
        wait_for(service.helpers)
        web = service.web_workers()
        (supervisor,) = service.pids(SUPERVISOR)
        kill(supervisor)
        wait_for(lambda: not any(service.pids(module) for module in MODULES.values()))
        assert not helpers_run(service.home)
        assert service.answers() and service.web_workers() == web
        service.send(signal.SIGHUP)
        wait_for(lambda: service.pids(SUPERVISOR) - {supervisor} and service.helpers())  # noqa: B023
        wait_for(lambda: service.answers() and not web & service.web_workers())  # noqa: B023
        assert len(service.pids(SUPERVISOR)) == 1
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("service", ["app"], indirect=True)
def test_app_py_ends_as_gunicorn_does(service: StandIn) -> None:
    (service.folder / "wsgi.py").write_text("raise RuntimeError('It is broken.')\n")
    assert service.begin().wait(PATIENCE_SECONDS) == 3
    assert "It is broken." in service.output()
    assert not service.rest()
    assert service.begin("--no-such-option").wait(PATIENCE_SECONDS) == 2
    assert service.begin("--daemon").wait(PATIENCE_SECONDS) == 1
    assert service.output().rstrip().endswith("runs gunicorn in the foreground.")


@pytest.mark.parametrize("service", ["app"], indirect=True)
def test_a_hung_arbiter_is_ended_with_the_service(service: StandIn) -> None:
    service.start("-w", "2")
    wait_for(service.helpers)
    kill(service.arbiter(), signal.SIGSTOP)
    assert service.end(signal.SIGINT) == 0
    assert not service.rest()


@pytest.mark.parametrize("service", ["gunicorn"], indirect=True)
def test_hung_helpers_are_ended_with_the_service(service: StandIn) -> None:
    service.start("-w", "2")
    wait_for(service.helpers)
    (supervisor,) = service.pids(SUPERVISOR)
    kill(supervisor, signal.SIGSTOP)
    assert service.end() == 0
    wait_for(lambda: not service.rest())
    assert not helpers_run(service.home)


@pytest.mark.parametrize("service", ["app"], indirect=True)
def test_app_py_takes_the_exit_status_of_orphans(service: StandIn) -> None:
    """What the document worker started becomes a child of app.py when the worker is killed."""
    service.start()
    wait_for(service.helpers)
    worker = service.helper("worker")
    assert worker is not None and service.process is not None
    (sleep,) = service.pids("sleep")
    kill(sleep, signal.SIGSTOP)
    kill(worker)
    wait_for(lambda: parent(sleep) != worker)
    wait_for(lambda: not service.zombies() and sleep not in service.pids("sleep"))


def test_the_number_of_workers_follows_signals(service: StandIn) -> None:
    service.start()
    wait_for(lambda: len(service.web_workers()) == 1)
    service.send(signal.SIGTTIN)
    wait_for(lambda: len(service.web_workers()) == 2)
    service.send(signal.SIGTTOU)
    wait_for(lambda: len(service.web_workers()) == 1)


def test_a_reload_follows_the_settings(service: StandIn) -> None:
    (model,) = service.folder.rglob("model.json")
    model.unlink()
    service.start()
    wait_for(lambda: service.helper("chroma") and service.helper("worker"))
    assert not service.pids(MODULES["embedder"])
    chroma = service.helper("chroma")
    model.write_text("{}")
    service.send(signal.SIGHUP)
    wait_for(service.helpers)
    assert service.helper("chroma") == chroma
    (service.folder / ".env").write_text("CHROMA_URL=http://127.0.0.1:9\n")
    service.send(signal.SIGHUP)
    wait_for(lambda: not service.pids(MODULES["chroma"]))
    wait_for(lambda: address(service.home, "chroma") is None)
    assert service.helper("embedder")


def test_ctrl_c_ends_quietly(service: StandIn) -> None:
    """From a terminal the signal goes to the whole group in the foreground."""
    terminal, theirs = pty.openpty()
    service.process = subprocess.Popen(
        service.command("-w", "2"),
        cwd=service.folder,
        env=service.environ(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    wait_for(lambda: service.answers() and service.helpers())
    os.read(terminal, 65536)
    os.write(terminal, b"\x03")
    assert service.process.wait(PATIENCE_SECONDS) == 0
    assert not service.rest()
    os.set_blocking(terminal, False)
    try:
        assert os.read(terminal, 65536).strip() == b"^C"
    finally:
        os.close(terminal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], ids=str)
@pytest.mark.parametrize("options", [(), ("--preload",)], ids=str)
def test_a_signal_while_it_starts_ends_it_quietly_too(
    service: StandIn, options: tuple[str, ...], number: signal.Signals
) -> None:
    service.home.mkdir()
    (service.home / "slow").touch()
    service.begin(*options)
    wait_for((service.home / "prepared").exists)
    assert service.end(number) == 128 + number
    wait_for(lambda: not service.rest())
    assert service.output() == ""


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=str)
def test_nothing_listens_before_the_home_is_prepared(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.home.mkdir()
    (service.home / "slow").touch()
    service.begin(*options)
    wait_for((service.home / "prepared").exists)
    for _ in range(30):  # longer than the arbiter takes to load
        time.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port), 1).close()
    (service.home / "slow").unlink()
    wait_for(service.answers)
    assert service.end() == 0


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=str)
def test_a_reload_while_it_starts_waits_for_its_end(
    service: StandIn, options: tuple[str, ...]
) -> None:
    service.home.mkdir()
    (service.home / "slow").touch()
    service.begin(*options)
    wait_for((service.home / "prepared").exists)
    service.send(signal.SIGHUP)
    (service.home / "slow").unlink()
    wait_for(lambda: service.prepared()[1:] == ["prepare"])
    wait_for(service.answers)
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=str)
def test_a_reload_that_cannot_work_changes_nothing(
    service: StandIn, options: tuple[str, ...]
) -> None:
    env = service.folder / ".env"
    env.write_text(f"CHATAPP_BIND=127.0.0.1:{service.port}\n")
    service.start(*options, CHATAPP_BIND=None)
    wait_for(lambda: service.helpers() and service.web_workers())
    helpers, web = service.helpers(), service.web_workers()
    with socket.create_server(("127.0.0.1", free_port())) as other:
        taken = other.getsockname()[1]
        faults = {
            "CHATAPP_BIND=nowhere": "CHATAPP_BIND must be host:port",
            f"CHATAPP_BIND=127.0.0.1:{taken}": f"Port {taken} on 127.0.0.1 is in use",
        }
        for refused, (line, said) in enumerate(faults.items(), 1):
            env.write_text(line)
            service.send(signal.SIGHUP)
            wait_for(lambda: service.output().count("The reload failed;") == refused)  # noqa: B023
            assert said in service.output()
    env.write_text(f"CHATAPP_BIND=127.0.0.1:{service.port}\n")
    (service.home / "fail").touch()
    service.send(signal.SIGHUP)
    wait_for(lambda: service.output().count("The reload failed;") == 3)
    assert "It cannot be prepared." in service.output()
    assert service.answers()
    assert service.web_workers() == web and service.helpers() == helpers
    (service.home / "fail").unlink()
    service.send(signal.SIGHUP)
    wait_for(lambda: service.answers() and not web & service.web_workers())
    assert "Traceback" not in service.output()
    assert service.end() == 0
    assert not service.rest()


@pytest.mark.parametrize("service", ["gunicorn"], indirect=True)
def test_a_reload_leaves_helpers_alone_that_others_look_after(service: StandIn) -> None:
    web = service.start().process
    wait_for(service.helpers)
    for supervisor in service.pids(SUPERVISOR):
        kill(supervisor)
    wait_for(lambda: not service.pids(MODULES["chroma"]))
    others = service.begin(shape="helpers")
    wait_for(service.helpers)
    service.process = web
    before = service.web_workers()
    service.send(signal.SIGHUP)
    wait_for(lambda: service.answers() and not before & service.web_workers())
    assert f"Another instance (process {others.pid})" in service.output()
    assert service.end() == 0
    assert service.helpers()
    service.process = others
    assert service.end() == 0
    assert not service.rest()


def test_everything_killed_and_started_at_once_has_one_chroma(service: StandIn) -> None:
    service.start("-w", "2")
    wait_for(service.helpers)
    for _ in range(3):
        old = service.pids(MODULES["chroma"])
        service.kill_everything()
        service.begin("-w", "2")
        wait_for(lambda: at_most_one_chroma(service) and service.helpers() and service.answers())
        assert service.pids(MODULES["chroma"]) != old
    assert "Another" not in service.output()
    service.kill_everything()
    wait_for(lambda: not running(service.home))
    assert address(service.home, WEB), "the file is left, and does not count"


def at_most_one_chroma(service: StandIn) -> bool:
    assert len(service.pids(MODULES["chroma"])) <= 1
    return True


def test_the_helpers_alone_serve_a_host_without_a_web_part(service: StandIn) -> None:
    helpers = service.begin(shape="helpers")
    wait_for(service.helpers)
    assert service.prepared() == ["prepare --helpers"]
    second = service.begin(shape="helpers")
    assert second.wait(PATIENCE_SECONDS) == 1
    assert f"Another instance (process {helpers.pid}) is using {service.home}" in service.output()
    before = service.helpers()
    web = service.start(CHATAPP_HELPERS="off").process
    assert web is not None
    assert service.helpers() == before and len(service.pids(MODULES["worker"])) == 1
    assert service.end() == 0
    assert service.helpers() == before
    service.process = helpers
    assert service.end() == 0
    assert not service.rest()
    assert "Traceback" not in service.output()


def test_a_second_service_on_the_same_home_is_refused(service: StandIn) -> None:
    first = service.start().process
    assert first is not None
    prepared = service.prepared()
    service.port = free_port()
    for shape in ("app", "gunicorn", "helpers"):
        assert service.begin(shape=shape).wait(PATIENCE_SECONDS) == 1
    service.process = first
    said = f"Another instance (process {first.pid}) is using {service.home}"
    assert service.output().count(said) == 3
    assert service.prepared() == prepared
    assert "Traceback" not in service.output()
    assert service.end() == 0


def test_a_start_right_after_a_kill_waits_for_the_home(service: StandIn) -> None:
    service.start()
    service.end(signal.SIGKILL)
    service.port = free_port()
    service.start()


def test_a_killed_test_run_leaves_no_process(service: StandIn) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", TEST_RUN, str(service.folder), service.shape],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"started\n"
        assert service.helpers()
        run.kill()
    wait_for(lambda: not service.rest(), seconds=GONE_SECONDS)


@pytest.mark.parametrize("service", ["gunicorn"], indirect=True)
def test_an_arbiter_killed_during_a_reload_leaves_its_port_free(service: StandIn) -> None:
    service.start()
    prepared = len(service.prepared())
    (service.home / "slow").touch()
    service.send(signal.SIGHUP)
    wait_for(lambda: len(service.prepared()) > prepared)
    for pid in (service.arbiter(), *service.web_workers()):
        kill(pid)
    wait_for(lambda: can_bind(service.port), seconds=GONE_SECONDS)


def can_bind(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
