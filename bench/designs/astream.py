"""FastAPI with `chain.astream`, one JSON object a token. The model client is reused."""

import json
import os
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

app = FastAPI()
prompt = ChatPromptTemplate.from_messages(
    [("system", "You answer questions."), ("human", "{question}")]
)


class Question(BaseModel):
    """A question and the model to ask."""

    question: str
    model: str


@cache
def chain(model: str) -> Runnable[dict[str, Any], Any]:
    """Return the chain of a model, made once."""
    key = SecretStr(os.environ["OPENAI_API_KEY"])
    return prompt | ChatOpenAI(model=model, base_url=os.environ["OPENAI_BASE_URL"], api_key=key)


@app.post("/chat/stream")
async def ask(asked: Question) -> StreamingResponse:
    """Answer with one event for each token."""

    async def events() -> AsyncIterator[str]:
        async for piece in chain(asked.model).astream({"question": asked.question}):
            yield f"data: {json.dumps({'type': 'chunk', 'data': piece.content})}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
