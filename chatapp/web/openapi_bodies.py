"""Bodies that flask-openapi3 cannot derive: streams, files, forms, messages; and examples."""

from typing import Any

SCHEMAS = "#/components/schemas/"
BINARY = {"type": "string", "format": "binary"}


def _events(name: str, end: str = "") -> dict[str, Any]:
    """Return the schema of each event of a stream, as OpenAPI 3.2 describes them.

    Its data is the JSON of a schema, or the text that ends the stream.
    """
    text = {"type": "string"}
    schema = {"$ref": f"{SCHEMAS}{name}"}
    data: dict[str, Any] = {**text, "contentMediaType": "application/json", "contentSchema": schema}
    if end:
        data = {"anyOf": [{**text, "const": end}, data]}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": data, "event": text, "id": text},
    }


STREAM = {
    "description": (
        "Server-sent events. Each event has one of these JSON objects in `data`. `context` comes "
        "first; exactly one `done` or `error` ends the stream. The events `context`, `chunk` and "
        "`error` are unnamed; all others have their `type` as the SSE event name."
    ),
    "content": {"text/event-stream": {"schema": _events("StreamEvent")}},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": (
        "Id of the last event received; the stream resumes after it. On a POST, resumes that "
        "answer instead of asking a question."
    ),
}
# openapi-python-client 0.29 writes code that cannot be imported for a body of several kinds unless
# the operation has an optional parameter too.
ACCEPT_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The language of messages: `en` or `zh-CN`.",
}
FILES = {"type": "array", "items": BINARY}
FORM = {"type": "object", "required": ["files"], "properties": {"files": FILES}}
PICTURE = {"type": "object", "required": ["file"], "properties": {"file": BINARY}}
PAGE = {
    "type": "object",
    "required": ["url"],
    "properties": {"url": {"type": "string", "description": "the address of a web page to add"}},
}
MESSAGE = {
    "title": "McpMessage",
    "description": "A JSON-RPC message of the Model Context Protocol.",
    "type": "object",
    "required": ["jsonrpc"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "id": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "method": {"type": "string"},
        "params": {"type": "object"},
    },
}


def _of(**content: dict[str, Any]) -> dict[str, Any]:
    """Return a required body; keywords are `form` and `json`."""
    kinds = {"form": "multipart/form-data", "json": "application/json"}
    return {
        "required": True,
        "content": {kinds[kind]: {"schema": schema} for kind, schema in content.items()},
    }


def _file(description: str, *kinds: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": BINARY} for kind in kinds}}


def _text(description: str, kind: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string"}}}}


def _reply(description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"{SCHEMAS}McpReply"}}}
    return {"description": description, "content": content}


SHAPES = {
    "McpMessage": MESSAGE,
    "McpReply": {
        "title": "McpReply",
        "description": "A JSON-RPC message with `result` or `error`.",
        "type": "object",
    },
}
REQUESTS: dict[str, dict[str, Any]] = {
    "uploadImage": _of(form=PICTURE),
    "importSessions": _of(form=FORM),
    "uploadKnowledgeFiles": _of(form=FORM, json=PAGE),
    "uploadToNewKnowledgeBase": _of(form=FORM),
    "callMcp": _of(json={"$ref": f"{SCHEMAS}McpMessage"}),
}
# streams beside the JSON of an operation
STREAMS = {
    "createChatCompletion": {"schema": _events("ChatCompletionChunk", "[DONE]")},
    "createResponse": {"schema": _events("OpenAIResponseEvent")},
}
NOT_MODIFIED = {"description": "The image has not changed since the `ETag` that was sent."}
# the responses by operation; they replace those with the same status
RESPONSES: dict[str, dict[str, Any]] = {
    "askStream": {"200": STREAM},
    "resumeStream": {"200": STREAM},
    "getImage": {"200": _file("The picture.", "image/png", "image/jpeg"), "304": NOT_MODIFIED},
    "exportAllSessions": {"200": _file("A ZIP file.", "application/zip")},
    "downloadKnowledgeFile": {"200": _file("The original file.", "application/octet-stream")},
    "getKnowledgeFilePage": {
        "200": _file("The image of the page.", "image/png", "image/jpeg"),
        "304": NOT_MODIFIED,
    },
    "getUsageCsv": {"200": _text("A CSV file in UTF-8, with a header.", "text/csv")},
    "getMetrics": {"200": _text("Figures in Prometheus' text format 0.0.4.", "text/plain")},
    "callMcp": {
        "200": _reply("The reply, a JSON-RPC message with `result` or `error`."),
        "202": {"description": "A notification was accepted."},
        "400": _reply("The message is malformed: a JSON-RPC message with `error`."),
        "404": _reply("There is no such method, from version 2026-07-28 on."),
    },
}
QUESTION = {"question": "How many days of leave are there?"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "ask": QUESTION,
    "askStream": {
        **QUESTION,
        "llm_config": {"supplier": "deepseek", "model": "deepseek-v4-flash"},
        "knowledge_config": {"knowledge_base_id": "8be0c0de-0000-4000-8000-000000000000"},
    },
    "createSession": {"title": "Leave"},
    "createKnowledgeBase": {"name": "Handbook"},
    "searchKnowledgeBase": {"query": "days of leave", "k": 3},
    "uploadKnowledgeFiles": {"url": "https://example.org/guide"},
    "createSupplier": {"preset": "deepseek", "api_key": "sk-…"},
    "createToken": {"name": "nightly report"},
    "login": {"name": "admin", "password": "a long password"},
    "updateCurrentUser": {"defaults": {"temperature": 0.2}},
    "callMcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
}
