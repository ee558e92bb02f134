"""A real Chroma server on a free port with its own folder, which can be killed and restarted."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.support.service import free_port, wait_for

RUN = "import sys; from chromadb_rust_bindings import cli; cli(['chroma', 'run', *sys.argv[1:]])"


class Chroma:
    """`with Chroma(folder) as chroma:` runs a server at `chroma.url`."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self._address = address
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Chroma":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        port = free_port()
        self.url = f"http://{self._address}:{port}"
        command = [
            sys.executable,
            "-c",
            RUN,
            "--path",
            str(self.folder),
            "--host",
            self._address,
            "--port",
            str(port),
        ]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers, what="Chroma answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "Chroma has ended"
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=1) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False
