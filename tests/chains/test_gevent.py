"""Under gevent: the reader yields to the hub, and a killed greenlet closes its connection at once, at every stage."""

import subprocess
import sys
from pathlib import Path

from tests.modelserver import ModelServer

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from chatapp.chains import build_chain, pieces
from chatapp.chains.suppliers import Endpoint, Models, Parameters
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
gevent.sleep(0.3)
assert len(ticks) > 8, len(ticks)
killed = time.monotonic()
gevent.killall(greenlets, block=True, timeout=1)
assert all(greenlet.dead for greenlet in greenlets)
print(killed, *seen.values(), flush=True)
gevent.sleep(5)
"""
NAMES = ("typewriter-2000-50", "typewriter-2000-40+", "hang-before-headers", "hang-after-headers", "hang-mid")


def test_a_killed_greenlet_closes_its_connection_at_every_stage() -> None:
    root = Path(__file__).parent.parent.parent
    with ModelServer() as server:
        command = [sys.executable, "-c", SCRIPT, server.base_url, *NAMES]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        killed, *counts = (float(part) for part in process.stdout.readline().split())
        requests = server.asked()
        assert len(requests) == len(NAMES)
        assert server.wait_for(lambda: all(request.closed_by_client for request in requests), 0.8)
        assert all(request.closed_at is not None and request.closed_at - killed < 0.3 for request in requests)
        assert [count > 0 for count in counts] == [True, True, False, False, True]
        process.kill()
        process.wait(10)
        process.stdout.close()
