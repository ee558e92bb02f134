"""Flask and gevent as in a tutorial: `chain.stream`, one JSON object a token.

The model client is reused.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Flask, Response, request, stream_with_context
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

app = Flask(__name__)
prompt = ChatPromptTemplate.from_messages(
    [("system", "You answer questions."), ("human", "{question}")]
)


@cache
def chain(model: str) -> Runnable[dict[str, Any], Any]:
    """Return the chain of a model, made once."""
    key = SecretStr(os.environ["OPENAI_API_KEY"])
    return prompt | ChatOpenAI(model=model, base_url=os.environ["OPENAI_BASE_URL"], api_key=key)


@app.post("/chat/stream")
def ask() -> Response:
    """Answer with one event for each token."""
    asked = request.get_json()

    def events() -> Iterator[str]:
        for piece in chain(asked["model"]).stream({"question": asked["question"]}):
            yield f"data: {json.dumps({'type': 'chunk', 'data': piece.content})}\n\n"

    return Response(stream_with_context(events()), mimetype="text/event-stream")
