"""Calls of the API that Schemathesis makes up from /openapi.json, and what each answer must be."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as limits
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()
# Not: whether what is described is accepted, since most ids that are made up do not exist; whether
# what is not described is refused, since unknown fields are ignored.
CHECKED = CHECKS.get_by_names(
    (
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "status_code_conformance",
        "unsupported_method",
    )
)
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# Who asks is no part of what is made up.
CONFIG = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
INTERNAL = 500


def call_all(
    app: Flask,
    token: str,
    examples: int,
    first_seed: int,
    tell: Callable[[str], None] = print,
    which: slice = slice(None),
) -> Counter[tuple[str, int]]:
    """Call each operation so often, or some, with valid and with invalid data; count the statuses.

    Raises the first failure, which has a command that repeats the call.
    """
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=CONFIG, headers=headers)
    operations = [found.ok() for found in schema.get_all_operations()]
    statuses: Counter[tuple[str, int]] = Counter()

    def call(case: Any) -> None:
        response = case.call(headers=headers)
        statuses[case.operation.label, response.status_code] += 1
        assert response.status_code != INTERNAL, f"{case.as_curl_command()}\n{response.text}"
        case.validate_response(response, checks=CHECKED)

    for number, operation in list(enumerate(operations))[which]:
        tell(operation.label)
        for mode in MODES:
            run = given(case=operation.as_strategy(generation_mode=mode))(call)
            with suppress(Unsatisfiable):  # nothing can be invalid
                seed(first_seed + number)(_bounded(max(1, examples // len(MODES)))(run))()
    return statuses


def _bounded(examples: int) -> limits:
    return limits(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
