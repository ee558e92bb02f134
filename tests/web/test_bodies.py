"""Every field of every request body refuses what it does not take, and never fails."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import chatapp.web
from chatapp.errors import InvalidRequest

ODD: tuple[Any, ...] = (
    None, True, 1, 1.5, "x", "\ud800", 2**70, float("inf"), [], [None], [[]], [{}], {}, {"a": None},
)  # fmt: skip


def bodies() -> Iterator[type[BaseModel]]:
    for found in pkgutil.walk_packages(chatapp.web.__path__, "chatapp.web."):
        module = importlib.import_module(found.name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, BaseModel) and kind.__module__ == module.__name__:
                yield kind


@pytest.mark.parametrize("body", [*bodies()], ids=lambda body: f"{body.__module__}.{body.__name__}")
def test_an_odd_value_is_refused_or_taken(body: type[BaseModel]) -> None:
    for name, described in body.model_fields.items():
        for value in ODD:
            try:
                body.model_validate({described.alias or name: value})
            except (ValidationError, InvalidRequest):
                continue
