"""A random script of faults with a fixed seed; FAULTS_SEED chooses another."""

import os
import random
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.invariants import check
from tests.faults.reader import Reader, letters
from tests.faults.stage import Stage
from tests.support.service import PATIENCE_SECONDS, wait_for

pytestmark = pytest.mark.server
OPERATIONS = 40
MODELS = (
    *("typewriter-100-30", "numbered-200-40", "many-tongues-10-60"),  # half of the models work
    *("typewriter-60-60", "reasoning", "echo", "weird-text", "slow-first-1"),
    *("cut", "reset", "hang-mid", "broken-json", "refuse-503", "drop-once", "no-finish", "length"),
)


class Script:
    """The readers so far, and the possible steps."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.chance = random.Random(seed)
        self.done: list[str] = []
        self.readers: list[Reader] = []
        self.work: list[Future[Reader]] = []
        self.pool = ThreadPoolExecutor(OPERATIONS)

    def step(self) -> None:
        """Run a random step."""
        steps: list[Callable[[], None]] = [
            self.ask,
            self.stop,
            self.resume,
            self.kill,
            self.reload,
        ]
        chosen = self.chance.choices(steps, (16, 6, 12, 1, 1))[0] if self.readers else self.ask
        self.done.append(chosen.__name__)
        chosen()

    def ask(self) -> None:
        """Ask, and read to the end or disconnect after a few letters."""
        name = self.chance.choice(MODELS)
        reader = Reader(self.stage.service, name, llm_config=self.stage.config(name))
        until = letters(self.chance.randrange(200)) if self.chance.random() < 0.5 else None
        self.readers.append(reader)
        self.work.append(
            self.pool.submit(reader.follow, 60, until)
            if until
            else self.pool.submit(reader.follow, 60)
        )
        wait_for(lambda: reader.context or self.work[-1].done(), what="it is asked")

    def stop(self) -> None:
        """Stop a random answer, ended or not; retry if a kill broke the request."""
        reader = self.chance.choice(self.readers)
        if not reader.context:
            return

        def pressed() -> bool:
            try:
                return reader.stop() == 204
            except OSError:
                return False

        wait_for(pressed, what="Stop is taken")

    def resume(self) -> None:
        """Read part of an answer as another client, from the beginning or a random position."""
        reader = self.chance.choice(self.readers)
        if reader.context:
            other = reader.another()
            other.read_size = self.chance.randrange(1, 5000)
            place = (
                f"{reader.message_id}:{self.chance.randrange(600)}"
                if self.chance.random() < 0.7
                else ""
            )
            self.work.append(
                self.pool.submit(other.resume, letters(self.chance.randrange(300)), place)
            )

    def kill(self) -> None:
        os.kill(self.chance.choice(self.stage.service.workers()), signal.SIGKILL)
        self.wait_for_workers()

    def reload(self) -> None:
        assert self.stage.service.process is not None
        self.stage.service.process.send_signal(signal.SIGHUP)

    def wait_for_workers(self) -> None:
        wait_for(lambda: self.stage.inside(), what="a worker serves")


def test_a_random_script_of_faults_breaks_no_invariant(stage: Stage) -> None:
    """Kill and restart everything at the end, so that lost answers need not time out."""
    seed = int(os.environ.get("FAULTS_SEED") or 50023)
    script = Script(stage, seed)
    try:
        with stage.unwatched():
            for _ in range(OPERATIONS):
                script.step()
            stage.kill_all()
            stage.service.start()
        for future in script.work:
            future.result(PATIENCE_SECONDS)
        for reader in script.readers:
            check(stage, reader.follow())
        assert stage.sql("SELECT count(*) FROM runs") == [(0,)]
    except BaseException as fault:
        raise AssertionError(f"seed {seed}: {', '.join(script.done)}: {fault}") from fault
    finally:
        script.pool.shutdown(cancel_futures=True)
