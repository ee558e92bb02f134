"""Clients that are generated from /openapi.json, in Python and JavaScript, do a day's work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import ROOT, TOKEN, Service

pytestmark = pytest.mark.server
SECONDS = 300  # to generate on a busy machine
# The Python generator takes media types that it does not know for these; it formats nothing.
PYTHON_CONFIG = {
    "content_type_overrides": {
        "application/zip": "application/octet-stream",
        "image/jpeg": "application/octet-stream",
        "image/png": "application/octet-stream",
        "text/event-stream": "text/plain",
    },
    "post_hooks": [],
}
PYTHON = """
import sys, time
from io import BytesIO
from made import AuthenticatedClient
from made.api.accounts import get_current_user
from made.api.chat import ask
from made.api.knowledge import (
    create_knowledge_base, delete_knowledge_base, get_knowledge_base, list_knowledge_files,
    search_knowledge_base, upload_knowledge_files,
)
from made.api.sessions import delete_session, list_sessions
from made.models import (
    BaseBody, ChatBody, ErrorBody, KnowledgeConfig, LLMConfig, SearchBody,
    UploadKnowledgeFilesFilesBody,
)
from made.types import File

url, token = sys.argv[1:]
stranger = AuthenticatedClient(base_url=url, token="wrong")
refused = get_current_user.sync(client=stranger)
assert isinstance(refused, ErrorBody) and refused.error.code == "unauthorized"
client = AuthenticatedClient(base_url=url, token=token, timeout=60, httpx_args={"trust_env": False})
assert get_current_user.sync(client=client).user.name == "admin"
base = create_knowledge_base.sync(client=client, body=BaseBody(name="Python"))
file = File(payload=BytesIO(b"Every employee gets 27 days of leave."), file_name="leave.txt")
sent = upload_knowledge_files.sync(
    base.id, client=client, body=UploadKnowledgeFilesFilesBody(files=[file])
)
assert sent.items[0].name == "leave.txt"
while list_knowledge_files.sync(base.id, client=client).items[0].status != "ready":
    time.sleep(0.1)
assert get_knowledge_base.sync(base.id, client=client).state == "ready"
found = search_knowledge_base.sync(base.id, client=client, body=SearchBody(query="days of leave"))
assert "27 days" in found.items[0].text
answer = ask.sync(client=client, body=ChatBody(
    question="How many days of leave?",
    knowledge_config=KnowledgeConfig(knowledge_base_id=base.id),
    llm_config=LLMConfig(supplier="builtin", model="extractive"),
))
assert "27" in answer.answer and answer.sources[0].name == "leave.txt"
assert answer.session_id in [one.id for one in list_sessions.sync(client=client).items]
lost = get_knowledge_base.sync("none", client=client)
assert isinstance(lost, ErrorBody) and lost.error.code == "not_found"
assert delete_session.sync_detailed(answer.session_id, client=client).status_code == 204
assert delete_knowledge_base.sync_detailed(base.id, client=client).status_code == 204
"""
JAVASCRIPT = """
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Api, ContentType } from './made.js';

const [baseUrl, token] = process.argv.slice(2);
const { api, chat } = new Api({
  baseUrl,
  securityWorker: (data) => ({ headers: { Authorization: `Bearer ${data ?? token}` } }),
});
await assert.rejects(
  new Api({ baseUrl }).api.getCurrentUser(),
  ({ status, error }) => status === 401 && error.error.code === 'unauthorized',
);
assert.equal((await api.getCurrentUser()).data.user.name, 'admin');
const base = (await api.createKnowledgeBase({ name: 'JavaScript' })).data;
const form = new FormData();
form.append('files', new File(['Every employee gets 27 days of leave.'], 'leave.txt'));
const sent = await api.uploadKnowledgeFiles(base.id, form, { type: ContentType.FormData });
assert.equal(sent.data.items[0].name, 'leave.txt');
const status = async () => (await api.listKnowledgeFiles(base.id, {})).data.items[0].status;
while ((await status()) !== 'ready') await pause(100);
const found = await api.searchKnowledgeBase(base.id, { query: 'days of leave' });
assert.match(found.data.items[0].text, /27 days/);
const answer = (await chat.ask({
  question: 'How many days of leave?',
  knowledge_config: { knowledge_base_id: base.id },
  llm_config: { supplier: 'builtin', model: 'extractive' },
})).data;
assert.match(answer.answer, /27/);
assert.equal(answer.sources[0].name, 'leave.txt');
const sessions = (await api.listSessions({})).data.items;
assert.ok(sessions.some(({ id }) => id === answer.session_id));
await assert.rejects(api.getKnowledgeBase('none'), ({ error }) => error.error.code === 'not_found');
assert.equal((await api.deleteSession(answer.session_id)).status, 204);
assert.equal((await api.deleteKnowledgeBase(base.id)).status, 204);
"""


@pytest.fixture(scope="module")
def described(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description as the running service returns it."""
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_bytes(service.get("/openapi.json").body)
    return path


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_generated_python_client_works(service: Service, described: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps(PYTHON_CONFIG))
    generator = (sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none")
    options = ("--path", str(described), "--output-path", "made", "--config", "config.yaml")
    assert "WARNING" not in run(*generator, *options, folder=tmp_path)
    (tmp_path / "work.py").write_text(PYTHON)
    run(sys.executable, "work.py", service.url, TOKEN, folder=tmp_path)


def test_a_generated_javascript_client_works(
    service: Service, described: Path, tmp_path: Path
) -> None:
    generator = ROOT / "node_modules" / "swagger-typescript-api" / "dist" / "cli.mjs"
    options = ("-p", str(described), "-o", str(tmp_path), "-n", "made.js", "--js")
    run("node", str(generator), "generate", *options, folder=tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "work.js").write_text(JAVASCRIPT)
    run("node", "work.js", service.url, TOKEN, folder=tmp_path)
