"""The real process code in a folder of its own, with a real Chroma and small stand-ins.

Stand-ins are the app, the document worker, the embedder, `prepare`, and the command line.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from chatapp.child import die_with_parent
from chatapp.home import MODEL_FOLDERS, address
from chatapp.processes.helpers import HEALTH_PATHS
from tests.support.service import free_port, wait_for

ROOT = Path(__file__).parents[2]
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
    if sys.argv[1] == "helpers":
        supervisor = [sys.executable, "-m", "chatapp.processes.supervisor", *sys.argv[3::2]]
        os.execv(sys.executable, supervisor)
    with open(home / "prepared", "a") as file:
        file.write(" ".join(sys.argv[1:]) + "\\n")
    while (home / "slow").exists():
        time.sleep(0.05)
    if (home / "fail").exists():
        sys.exit("It cannot be prepared.")
    if "--greet" in sys.argv:
        from chatapp.home import write_greeting
        write_greeting(home, "  Good morning at " + sys.argv[-1] + "\\n")
"""
WORKER = """
import os, pathlib, subprocess, sys, time
from chatapp.child import die_with_parent
from chatapp.processes.heartbeat import Heartbeat
home = pathlib.Path(os.environ["CHATAPP_HOME"])
heartbeat = Heartbeat(int(sys.argv[2]))
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
SUPERVISOR = "chatapp.processes.supervisor"
MODULES = {
    "chroma": "chromadb_rust_bindings",
    "embedder": "chatapp.processes.embedder",
    "worker": "chatapp.processes.worker",
}
REAL = (
    "processes/supervisor",
    "processes/helpers",
    "processes/heartbeat",
    "processes/environment",
    "processes/listening",
    "processes/watched",
    "processes/web_server",
    "chains/http/gevent_socket",
    "core/passwords",
    "core/pasted",
    "storage/native_locks",
    "web/bodies",
    "web/worker",
    "addresses",
    "child",
    "errors",
    "home",
    "open_files",
    "setting_types",
    "settings",
    "i18n",
    "logs",
    "__main__",
)
COMMANDS = {
    "app": ("app.py",),
    "gunicorn": ("-m", "gunicorn"),
    "helpers": ("-m", "chatapp", "helpers"),
}


class StandIn:
    """A service in its own folder, home and port; `shape` is how it is started."""

    def __init__(self, folder: Path, shape: str) -> None:
        if not folder.exists():
            _fill(folder)
        self.folder = folder
        self.shape = shape
        self.home = folder / "instance"
        self.port = free_port()
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, **environ: str | None) -> "StandIn":
        """Start it and wait until the app answers."""
        self.begin(*options, **environ)
        wait_for(self.answers)
        return self

    def begin(
        self, *options: str, shape: str | None = None, **environ: str | None
    ) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, as a terminal does."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(*options, shape=shape),
                cwd=self.folder,
                env=self.environ(**environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )
        return self.process

    def command(self, *options: str, shape: str | None = None) -> list[str]:
        """Return the command line that starts it."""
        return [sys.executable, *COMMANDS[shape or self.shape], *options]

    def environ(self, **more: str | None) -> dict[str, str]:
        """Return the service's environment (None: unset), without that of the tests."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHATAPP_", "LC_", "LANG"))
        }
        own = {"CHATAPP_HOME": str(self.home), "CHATAPP_BIND": f"127.0.0.1:{self.port}"}
        told = {**clean, **own, **more}
        return {name: value for name, value in told.items() if value is not None}

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the first process a signal and wait for it."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def send(self, number: int) -> None:
        """Send the first process a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill_everything(self) -> None:
        """Send SIGKILL to all processes, parents first."""
        for pid in sorted(self.rest()):
            kill(pid)
        if self.process is not None:
            self.process.wait()

    def answers(self) -> bool:
        """Return whether the app answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as response:
                return bool(response.read() == b"here")
        except OSError:
            return False

    def output(self) -> str:
        """Return the whole output."""
        return self.log.read_text()

    def prepared(self) -> list[str]:
        """Return the arguments of each run of `prepare`."""
        return (self.home / "prepared").read_text().splitlines()

    def pids(self, module: str) -> set[int]:
        """Return the processes of this folder that run a module."""
        found = set()
        for entry in Path("/proc").iterdir():
            try:
                mine = entry.name.isdigit() and os.readlink(entry / "cwd") == str(self.folder)
                if mine and module.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return found

    def helper(self, name: str) -> int | None:
        """Return a helper's process once it works; a server has to answer at its address."""
        running = self.pids(MODULES[name])
        if name == "worker":
            try:
                pid = int((self.home / "worker").read_text().split()[0])
            except (OSError, IndexError):
                return None
            return pid if pid in running else None
        where = address(self.home, name)
        if where is None or len(running) != 1:
            return None
        try:
            with urllib.request.urlopen(f"http://{where}{HEALTH_PATHS[name]}", timeout=2):
                return running.pop()
        except OSError:
            return None

    def helpers(self) -> dict[str, int] | None:
        """Return the processes of all helpers once they work."""
        found = {name: self.helper(name) for name in MODULES}
        return {name: pid for name, pid in found.items() if pid} if all(found.values()) else None

    def arbiter(self) -> int:
        """Return gunicorn's arbiter."""
        gunicorns = self.pids("gunicorn")
        (first,) = [pid for pid in gunicorns if parent(pid) not in gunicorns]
        return first

    def web_workers(self) -> set[int]:
        """Return the web workers."""
        gunicorns = self.pids("gunicorn")
        return {pid for pid in gunicorns if parent(pid) in gunicorns}

    def zombies(self) -> set[int]:
        """Return unreaped children of the service's processes."""
        ours, found = self.rest(), set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, above, *_ = stat.read_text().rpartition(")")[2].split()
                if state == "Z" and int(above) in ours:
                    found.add(int(stat.parts[2]))
        return found

    def rest(self) -> set[int]:
        """Return all remaining processes, including children of the document worker."""
        names = ("app.py", "chatapp", "gunicorn", MODULES["chroma"], "sleep")
        return set().union(*map(self.pids, names))


def _fill(folder: Path) -> None:
    package = folder / "chatapp"
    (package / "cli").mkdir(parents=True)
    for part in REAL:
        (package / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "chatapp" / f"{part}.py", package / f"{part}.py")
    model = folder / MODEL_FOLDERS[0].relative_to(ROOT)
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    shutil.copy(ROOT / "gunicorn.conf.py", folder)
    shutil.copy(ROOT / "app.py", folder)
    shutil.copytree(ROOT / "static" / "i18n", folder / "static" / "i18n")
    for path, text in (
        ("wsgi.py", APP),
        ("chatapp/__init__.py", ""),
        ("chatapp/cli/commands.py", CLI),
        ("chatapp/processes/worker.py", WORKER),
        ("chatapp/processes/embedder.py", EMBEDDER),
    ):
        (folder / path).write_text(text)


def parent(pid: int) -> int | None:
    """Return the parent of a process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
