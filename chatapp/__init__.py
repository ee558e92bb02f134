"""A self-hosted chat over your own documents. `create_app` connects all parts."""

from typing import TYPE_CHECKING, Any

# gunicorn's arbiter, the supervisor and the readers of files import this package: it must stay
# small and unpatched.
if TYPE_CHECKING:
    from flask_openapi3 import OpenAPI

    from chatapp.settings import Settings
    from chatapp.storage.database import Database

__version__ = "0.2.0"
# Enough for a question of 100,000 escaped characters. Uploads have their own limit.
JSON_BYTES = 2 * 1024 * 1024


def create_app(settings: "Settings | None" = None) -> "OpenAPI":
    """Create the app from its settings; without any, from those of the environment."""
    from chatapp import logs
    from chatapp.settings import Settings
    from chatapp.web.proxies import Proxies
    from chatapp.web.services import EXTENSION, create_services

    settings = settings or Settings.from_env()
    logs.set_up(settings.log_level, settings.log_format)
    app = _new_app(settings)
    app.extensions[EXTENSION] = create_services(settings, _open_database(app))
    _add_views(app)
    app.wsgi_app = Proxies(app, settings)  # type: ignore[method-assign]
    return app


def _new_app(settings: "Settings") -> "OpenAPI":
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
    from chatapp.storage.database import Database
    from chatapp.storage.models import db
    from chatapp.storage.pools import prepare_engine

    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        return Database(db.engine)


def _add_views(app: "OpenAPI") -> None:
    from chatapp.web import (
        accounts,
        audit,
        chat,
        images,
        knowledge,
        manifest,
        mcp,
        metrics,
        ops,
        page_views,
        pages,
        presets,
        prompts,
        provider,
        request,
        sessions,
        shares,
        suggestions,
        suppliers,
        transfer,
        usage,
        users,
    )
    from chatapp.web.v1 import completions, embeddings, models, responses

    request.init_app(app)
    audit.init_app(app)
    for blueprint in (
        chat.bp,
        sessions.bp,
        images.bp,
        transfer.bp,
        shares.bp,
        prompts.bp,
        presets.bp,
        knowledge.bp,
        page_views.bp,
        suggestions.bp,
        mcp.bp,
        suppliers.bp,
        accounts.bp,
        users.bp,
        usage.bp,
        audit.bp,
        ops.bp,
        metrics.bp,
        models.bp,
        completions.bp,
        responses.bp,
        embeddings.bp,
    ):
        app.register_api(blueprint)
    app.register_blueprint(pages.bp)
    app.register_blueprint(manifest.bp)
    app.register_blueprint(shares.public)
    app.register_blueprint(provider.bp)


def _flask_config(settings: "Settings") -> dict[str, Any]:
    from chatapp.storage.pools import RESERVED_CONNECTIONS, engine_options

    return {
        "SQLALCHEMY_DATABASE_URI": settings.sql_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(
            settings.sql_url, settings.database_connections - RESERVED_CONNECTIONS
        ),
        "MAX_CONTENT_LENGTH": JSON_BYTES,
        "MAX_FORM_PARTS": 1000,
    }
