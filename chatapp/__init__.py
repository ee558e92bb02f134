"""A self-hosted chat over your own documents. `create_app` connects all parts."""

from typing import TYPE_CHECKING, Any

from chatapp.settings import MB, Settings

# gunicorn's arbiter and the supervisor import this package: it must stay small and unpatched.
if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from chatapp.storage.database import Database

__version__ = "0.2.0"
# Enough for a question of 100,000 escaped characters. Uploads have their own limit.
JSON_BYTES = 2 * MB


def create_app(settings: Settings | None = None) -> "OpenAPI":
    """Create the app from its settings; without any, from those of the environment."""
    from chatapp import logs
    from chatapp.chains.http.read_delay import ReadDelay
    from chatapp.chains.models import Models
    from chatapp.chat.feedback import AnswerFeedback
    from chatapp.chat.images import SWEEP_SECONDS, Images
    from chatapp.chat.prompts import Prompts
    from chatapp.chat.runs.runs import Runs
    from chatapp.chat.sessions import Sessions
    from chatapp.chat.shares import Shares
    from chatapp.chat.suppliers import Suppliers
    from chatapp.chat.turns import Turns
    from chatapp.home import CHROMA, url
    from chatapp.identity.accounts import Accounts
    from chatapp.identity.secrets import Secret
    from chatapp.knowledge.bases import Knowledge
    from chatapp.knowledge.chroma import VectorIndex
    from chatapp.knowledge.embedders import configured_embedder
    from chatapp.knowledge.images import ImageFiles
    from chatapp.knowledge.pageview.views import PageViews
    from chatapp.knowledge.suggestions import Suggestions
    from chatapp.web.proxies import Proxies
    from chatapp.web.services import EXTENSION, Services

    settings = settings or Settings.from_env()
    logs.set_up(settings.log_level)
    app = _new_app(settings)
    database = _open_database(app)
    read_delay = ReadDelay()
    embedder = configured_embedder(settings)
    similar = embedder.similarities if embedder is not None else None
    supplier_rows = Suppliers(
        database, settings, Secret(settings.home), Models(settings, read_delay), similar
    )
    index = VectorIndex(lambda: url(settings, CHROMA), settings.ca_file)
    bases = Knowledge(database, settings, index, embedder)
    images = Images(database, ImageFiles(settings))
    app.extensions[EXTENSION] = Services(
        settings=settings,
        database=database,
        accounts=Accounts(database),
        sessions=Sessions(database, images),
        feedback=AnswerFeedback(database),
        images=images,
        shares=Shares(database),
        prompts=Prompts(database),
        suppliers=supplier_rows,
        knowledge=bases,
        page_views=PageViews(database, settings, bases.originals),
        suggestions=Suggestions(database),
        runs=Runs(database, settings, read_delay, {images.sweep: SWEEP_SECONDS}),
        turns=Turns(database, settings, supplier_rows),
    )
    _add_views(app)
    app.wsgi_app = Proxies(app, settings)  # type: ignore[method-assign]
    return app


def _new_app(settings: Settings) -> "OpenAPI":
    from flask_openapi3 import Info, OpenAPI

    from chatapp.web import errors
    from chatapp.web.responses import ErrorBody

    app = OpenAPI(
        "chatapp",
        info=Info(title="Chat over your own documents", version=__version__),
        validation_error_callback=errors.raise_invalid_request,
        validation_error_model=ErrorBody,
        doc_ui=False,
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        template_folder="../templates",
        static_folder=None,  # pages.py serves them
    )
    app.config.update(_flask_config(settings))
    return app


def _open_database(app: "OpenAPI") -> "Database":
    from chatapp.storage.database import Database, prepare_engine
    from chatapp.storage.models import db

    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        return Database(db.engine)


def _add_views(app: "OpenAPI") -> None:
    from chatapp.web import (
        accounts,
        chat,
        images,
        knowledge,
        manifest,
        ops,
        page_views,
        pages,
        prompts,
        request,
        sessions,
        shares,
        suggestions,
        suppliers,
        transfer,
    )

    request.init_app(app)
    for blueprint in (
        chat.bp,
        sessions.bp,
        images.bp,
        transfer.bp,
        shares.bp,
        prompts.bp,
        knowledge.bp,
        page_views.bp,
        suggestions.bp,
        suppliers.bp,
        accounts.bp,
        ops.bp,
    ):
        app.register_api(blueprint)
    app.register_blueprint(pages.bp)
    app.register_blueprint(manifest.bp)
    app.register_blueprint(shares.public)


def _flask_config(settings: Settings) -> dict[str, Any]:
    from chatapp.storage.database import engine_options

    return {
        "SQLALCHEMY_DATABASE_URI": settings.sql_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.sql_url),
        "MAX_CONTENT_LENGTH": JSON_BYTES,
        "MAX_FORM_PARTS": 1000,
    }
