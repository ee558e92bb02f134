"""Shared fixtures: an app on a fresh home, a signed-in client, a model server, leak checks."""

import signal
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient
from gevent import Greenlet
from werkzeug.routing import Rule

from chatapp import create_app
from chatapp.identity.person import Person
from chatapp.knowledge.ingest import remove
from chatapp.settings import BUILTIN, Settings
from chatapp.storage.migrate import migrate
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.modelserver import ModelServer
from tests.support.postgres import postgres_server
from tests.support.service import PATIENCE_SECONDS, Service

LEFT_SECONDS = 60  # for greenlets to end; far more than they need on a busy machine

STARTED: "weakref.WeakSet[Greenlet]" = weakref.WeakSet()
Greenlet.add_spawn_callback(STARTED.add)

# A shell that starts us with & makes us and all our children ignore the signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _compile_routes_once() -> None:
    """Let all apps of a test process share the compiled code of their routes.

    Werkzeug compiles a function for each of our hundred routes, which is most of the time that
    `create_app` takes. The function depends on nothing but the text and the defaults of its rule.
    """
    compile_builder = Rule._compile_builder
    compiled: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def shared(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    setattr(Rule, "_compile_builder", shared)  # noqa: B010


_compile_routes_once()
remove.FOREGROUND_SECONDS = PATIENCE_SECONDS  # no worker would do the rest


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database that every test copies, so that migrations run once."""
    home = tmp_path_factory.mktemp("migrated")
    migrate(Settings(home=home))
    return home / "chatapp.db"


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    (tmp_path / "chatapp.db").write_bytes(migrated.read_bytes())
    return Settings(home=tmp_path, connect_seconds=2, first_token_seconds=3, idle_seconds=2)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    services: Services = made.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    yield made
    wait_until(lambda: services.runs.streams == 0, "a live run or a reader was left behind")
    services.runs.close()
    pool = services.database.engine.pool
    assert "Current Checked out connections: 0" in pool.status() or pool.status().startswith(
        "NullPool"
    ), pool.status()
    services.database.close()
    wait_until(lambda: not live_greenlets(), "greenlets were left behind")


def wait_until(condition: Callable[[], bool], failure: str) -> None:
    """Let greenlets run until a condition holds: one may have done its work and not ended yet."""
    deadline = time.monotonic() + LEFT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{failure}: {live_greenlets()}"
        gevent.sleep(0.001)


def live_greenlets() -> list[Greenlet]:
    return [each for each in STARTED if each.started and not each.dead]


@pytest.fixture
def services(app: Flask) -> Services:
    found: Services = app.extensions["chatapp"]
    return found


@pytest.fixture
def admin(services: Services) -> Person:
    return services.accounts.administrator()


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client with the administrator's token."""
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return made


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer
) -> Iterator[Service]:
    """The product on gunicorn, with the model server as its supplier."""
    home = tmp_path_factory.mktemp("home")
    with Service(
        home,
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY="sk-test",
        OPENAI_MODELS="echo",
        CHATAPP_EMBEDDER=BUILTIN,
    ) as running:
        yield running
