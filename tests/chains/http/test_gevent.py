"""Under gevent the reader yields to the hub, and a killed greenlet closes its connection."""

import subprocess
import sys
from pathlib import Path

from tests.support.modelbehaviours import typed
from tests.support.modelserver import ModelServer

SCRIPT = """
from chatapp.storage.native_locks import patch_all
patch_all()
import sys, time
import gevent
from chatapp.chains.build import (build_chain, pieces)
from chatapp.chains.models import Endpoint, Models, Parameters
from chatapp.core.prompt import Ask
from chatapp.settings import Settings

base_url, *names = sys.argv[1:]
models = Models(Settings())
seen = {name: 0 for name in names}
ticks = []

def run(name):
    model = models.model(Endpoint("x", "X", base_url, "k"), Parameters(name.rstrip("+")))
    retrieve = (lambda query: []) if name.endswith("+") else None
    for piece in pieces(build_chain(model, retrieve).stream(Ask("q"))):
        seen[name] += 1

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.01)

models.preload()
greenlets = [gevent.spawn(run, name) for name in names]
gevent.sleep(0.3)
gevent.spawn(tick)
while len(ticks) < 8:
    gevent.sleep(0.01)
gevent.killall(greenlets, block=True, timeout=30)
assert all(greenlet.dead for greenlet in greenlets)
print(*seen.values(), flush=True)
gevent.sleep(600)
"""
NAMES = (
    "typewriter-2000-50",
    "typewriter-2000-40+",
    "hang-before-headers",
    "hang-after-headers",
    "hang-mid",
)


def test_a_killed_greenlet_closes_its_connection_at_every_stage() -> None:
    root = Path(__file__).parents[3]
    with ModelServer() as server:
        command = [sys.executable, "-c", SCRIPT, server.base_url, *NAMES]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        counts = [int(part) for part in process.stdout.readline().split()]
        requests = server.asked()
        assert len(requests) == len(NAMES)
        assert server.wait_for(lambda: all(request.closed_by_client for request in requests))
        assert process.poll() is None, "closed by the kill, not by the end of the process"
        assert [count > 0 for count in counts] == [True, True, False, False, True]
        process.kill()
        process.wait(10)
        process.stdout.close()


NAMES_SCRIPT = """
from chatapp.storage.native_locks import patch_all
patch_all()
import os, socket, sys
import gevent
from gevent.resolver.thread import Resolver
from chatapp.chains.build import (build_chain, pieces)
from chatapp.chains.models import Endpoint, Models, Parameters
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask
from chatapp.errors import ChatAppError
from chatapp.settings import Settings

asleep = gevent.monkey.get_original("time", "sleep")

class Slow(Resolver):
    # A name server that does not answer: getaddrinfo blocks its thread without a time limit.
    def getaddrinfo(self, host, *rest, **named):
        if host == "slow.example":
            self.pool.apply(asleep, (120,))
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return super().getaddrinfo(host, *rest, **named)

gevent.get_hub().resolver = Slow()
models = Models(Settings(connect_seconds=1))
models.preload()

def ask(base_url):
    model = models.model(Endpoint("x", "X", base_url, "k"), Parameters("typewriter-3-100"))
    try:
        found = list(pieces(build_chain(model).stream(Ask("q"))))
        end = "".join(piece.text for piece in found if isinstance(piece, Chunk))
    except ChatAppError as fault:
        end = fault.code
    return end

slow = [gevent.spawn(ask, "http://slow.example/v1") for _ in range(40)]
gevent.sleep(0.1)
quick = [gevent.spawn(ask, sys.argv[1].replace("127.0.0.1", "localhost")) for _ in range(5)]
for kind, greenlets in ("quick", quick), ("slow", slow):
    gevent.joinall(greenlets, timeout=90)
    print(kind, {each.value for each in greenlets}, flush=True)
os._exit(0)  # the threads still wait for the name server
"""


def test_a_hanging_name_server_delays_only_its_own_requests() -> None:
    root = Path(__file__).parents[3]
    with ModelServer() as server:
        command = [sys.executable, "-c", NAMES_SCRIPT, server.base_url]
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=110, check=False
        )
    assert done.returncode == 0, done.stderr
    quick, slow = done.stdout.splitlines()
    # Both while the name server is still silent.
    assert quick == f"quick {{{typed(3) + ' '!r}}}"
    assert slow == "slow {'upstream_unreachable'}"
