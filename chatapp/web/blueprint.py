"""Blueprints whose OpenAPI description is made when somebody first asks for it.

flask-openapi3 derives it while views are registered, from the JSON schemas of all models: that is a
fifth of the time in which a worker starts, for what few ever read.
"""

from collections.abc import Callable
from typing import Any

from flask import current_app
from flask_openapi3 import APIBlueprint, OpenAPI
from flask_openapi3.utils import parse_parameters

from chatapp.storage import threads
from chatapp.web.openapi import describe, operation_id

EXTENSION = "chatapp.description"


class LazyBlueprint(APIBlueprint):
    """A blueprint that keeps what is known of its views until it is described."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._views: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []
        super().__init__(*args, operation_id_callback=operation_id, **options)

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **known: Any) -> Any:
        if self.doc_ui:
            self._views.append((rule, func, known))
        return parse_parameters(func, doc_ui=False)

    def describe(self, app: OpenAPI) -> None:
        """Add the description of all views to that of an app."""
        views, self._views = self._views, []
        for rule, func, known in views:
            super()._collect_openapi_info(rule, func, **known)
        app.tags += [tag for tag in self.tags if tag.name not in app.tag_names]
        app.tag_names += self.tag_names
        app.paths |= self.paths
        app.components_schemas |= self.components_schemas


def description() -> dict[str, Any]:
    """Return the OpenAPI description of the app."""
    app: OpenAPI = current_app._get_current_object()  # type: ignore[attr-defined]
    if EXTENSION not in app.extensions:  # in one thread: it takes a while, but is made once
        threads.run(lambda: _describe(app), threads.MODELS)
    return app.extensions[EXTENSION]  # type: ignore[no-any-return]


def _describe(app: OpenAPI) -> None:
    if EXTENSION in app.extensions:
        return
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, LazyBlueprint):
            blueprint.describe(app)
    app.extensions[EXTENSION] = describe(app.api_doc)
