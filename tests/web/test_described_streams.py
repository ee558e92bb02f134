"""The events of each stream are what /openapi.json says, by Schemathesis's check of streams."""

from typing import Any

import pytest
import schemathesis
from flask import Flask

from tests.support.administrator import TOKEN
from tests.support.described_api import CHECKED, CONFIG

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
QUESTION = "How do I add documents?"
ASKED: dict[str, dict[str, Any]] = {
    "/chat/stream": {"question": QUESTION},
    "/v1/chat/completions": {
        "model": "builtin/extractive",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
    },
    "/v1/responses": {"model": "builtin/extractive", "input": QUESTION, "stream": True},
}


@pytest.mark.parametrize("path", ASKED)
def test_the_events_of_a_stream_are_described(app: Flask, path: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=CONFIG, headers=HEADERS)
    case = schema[path]["POST"].Case(body=ASKED[path], media_type="application/json")
    response = case.call(headers=HEADERS)
    assert response.headers["content-type"] == ["text/event-stream; charset=utf-8"]
    case.validate_response(response, checks=CHECKED)
