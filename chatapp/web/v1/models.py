"""GET /v1/models: the ids of models, also with the user's knowledge bases."""

from typing import Any

from flask import jsonify
from flask_openapi3 import Tag

from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.request import current_user
from chatapp.web.services import services
from chatapp.web.v1.embeddings import EMBEDDER, embedding_model
from chatapp.web.v1.shapes import OpenAIModel, OpenAIModelList

bp = LazyBlueprint(
    "v1_models",
    __name__,
    abp_tags=[Tag(name="openai", description="OpenAI's protocol, for its clients.")],
)


class OpenAIModelPath(Input):
    """The id of a model, which may contain slashes."""

    model_id: str


@bp.get("/v1/models", responses={200: OpenAIModelList})
def list_openai_models() -> Any:
    """List the models that can be asked.

    First `<supplier>/<model>` of all models, then `<supplier>/<model>@<knowledge base>` of each
    with your knowledge bases; at most 1000. The embedding model is the last one.
    """
    ids = services().model_ids.listed(current_user().id)
    if embedder := embedding_model():
        ids.append((embedder, EMBEDDER))
    return jsonify(object="list", data=[_model_json(*each) for each in ids])


@bp.get("/v1/models/<path:model_id>", responses={200: OpenAIModel})
def get_openai_model(path: OpenAIModelPath) -> Any:
    """Get a model."""
    if path.model_id == embedding_model():
        return jsonify(_model_json(path.model_id, EMBEDDER))
    model_ids = services().model_ids
    named = model_ids.read(current_user().id, path.model_id)
    return jsonify(_model_json(path.model_id, model_ids.require_offered(named)))


def _model_json(model_id: str, supplier: str) -> dict[str, Any]:
    return {"id": model_id, "object": "model", "created": 0, "owned_by": supplier}
