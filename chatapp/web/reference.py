"""What /docs shows: the OpenAPI description as groups of operations and tables of fields."""

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from chatapp.web.blueprint import description

Schema = Mapping[str, Any]
LIMITS = {
    "minLength": "≥ {} characters",
    "maxLength": "≤ {} characters",
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "maxItems": "≤ {} entries",
    "pattern": "{}",
    "default": "default {}",
}


def reference() -> dict[str, Any]:
    """Return the groups of operations and the shapes that they refer to."""
    spec = description()
    groups: dict[str, dict[str, Any]] = {
        tag["name"]: {"name": tag["name"], "text": prose(tag["description"]), "operations": []}
        for tag in spec["tags"]
    }
    shared = spec["components"]["responses"]
    for path, verbs in spec["paths"].items():
        for method, operation in verbs.items():
            groups[operation["tags"][0]]["operations"].append(
                _operation(path, method, operation, shared)
            )
    shapes = [
        {"name": name, "text": prose(schema.get("description", "")), **_shape(schema)}
        for name, schema in sorted(spec["components"]["schemas"].items())
    ]
    return {"groups": list(groups.values()), "shapes": shapes}


def _operation(path: str, method: str, operation: Schema, shared: Schema) -> dict[str, Any]:
    responses = {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
        if status != "default"
    }
    bodies = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "text": prose(operation.get("description", "")),
        "parameters": [
            _field(given["name"], given["schema"], given.get("required", False), given)
            | {"place": given["in"]}
            for given in operation.get("parameters", [])
        ],
        "bodies": [
            {"media_type": media_type, **_shape(content["schema"]), "kind": kind(content["schema"])}
            for media_type, content in bodies.items()
        ],
        "curl": _curl(path, method, bodies),
        "responses": [
            {"status": status, "text": prose(response["description"]), "kinds": _kinds(response)}
            for status, response in responses.items()
        ],
    }


def _kinds(response: Schema) -> list[tuple[str, Markup]]:
    content = response.get("content", {})
    return [(media_type, kind(each["schema"])) for media_type, each in content.items()]


def _curl(path: str, method: str, bodies: Schema) -> str:
    """Return what follows `curl` and the address of the service; empty without an example."""
    implied = method == "get" or (method == "post" and bodies)
    verb = "" if implied else f" -X {method.upper()}"
    line = f'{path} -H "Authorization: Bearer $CHATAPP_TOKEN"{verb}'
    if "multipart/form-data" in bodies:
        [field] = bodies["multipart/form-data"]["schema"]["properties"]
        return f"{line} -F {field}=@…"
    if example := bodies.get("application/json", {}).get("example"):
        shown = json.dumps(example, ensure_ascii=False)
        return f"{line} -H 'Content-Type: application/json' -d '{shown}'"
    return line if not bodies else ""


def _shape(schema: Schema) -> dict[str, Any]:
    """Return the fields of an object; of anything else what it is."""
    required = schema.get("required", [])
    fields = [
        _field(name, field, name in required, field)
        for name, field in schema.get("properties", {}).items()
    ]
    return {"fields": fields, "kind": Markup("") if fields else kind(schema)}


def _field(name: str, schema: Schema, required: bool, described: Schema) -> dict[str, Any]:
    limits = [
        pattern.format(schema[key])
        for key, pattern in LIMITS.items()
        if schema.get(key) not in (None, "")
    ]
    return {
        "name": name,
        "kind": kind(schema),
        "required": required,
        "text": prose(described.get("description", "")),
        "limits": ", ".join(limits),
    }


def prose(text: str) -> Markup:
    """Return a text with what is in backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def kind(schema: Schema) -> Markup:
    """Return the type of a value, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#shape-{0}">{0}</a>').format(name)
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return Markup(" | ").join(kind(each) for each in either)
    if "const" in schema:
        return Markup("{}").format(json.dumps(schema["const"]))
    if "enum" in schema:
        return Markup(" | ").join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return Markup("{}[]").format(kind(schema.get("items", {})))
    return Markup("{}").format(schema.get("format") or schema.get("type", "any"))
