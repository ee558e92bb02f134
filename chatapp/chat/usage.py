"""What answers use: tokens are counted with an answer's end, and kept by person, model and day.

A supplier's count is taken where there is one, else an estimate. The day is UTC's, in which the
answer ends. Each answer is counted once, in the transaction that ends it; it is kept when the chat
is deleted. The rewriting of a follow-up question is not counted.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Date, TextClause, bindparam, text
from sqlalchemy.orm import Session as Transaction

from chatapp.core.answer import AnswerLog
from chatapp.core.events import Chunk, Reasoning
from chatapp.core.prompt import Ask, estimate_prompt, estimate_tokens

MOST_TOKENS = 10**9  # of one answer: a number too large for a database must not cost the answer


@dataclass(frozen=True, slots=True)
class Used:
    """The tokens of one answer: of whom, and of which model."""

    user_id: str
    supplier: str
    model: str
    prompt_tokens: int
    completion_tokens: int


def today() -> date:
    """Return the day to which use is counted now."""
    return datetime.now(UTC).date()


def reported_tokens(usage: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the tokens of prompt and answer as a supplier reports them; None if it does not."""
    prompt, completion = (
        min(max(count, 0), MOST_TOKENS) if isinstance(count, int) else 0
        for count in (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    )
    return (prompt, completion) if prompt or completion else None


def estimated_tokens(log: AnswerLog, ask: Ask | None = None) -> tuple[int, int]:
    """Estimate the tokens of prompt and answer from an answer's log.

    Without `ask`, of the prompt only the passages are known.
    """
    passages = [str(source.get("text", "")) for source in log.sources()]
    said = log.text(Chunk)[len(ask.partial) if ask else 0 :]
    completion = estimate_tokens(said) + estimate_tokens(log.text(Reasoning))
    if ask is None:
        return sum(map(estimate_tokens, passages)), completion
    return estimate_prompt(ask, passages), completion


def _statement(rows: str, columns: tuple[str, ...]) -> TextClause:
    """Return the statement that adds rows of JSON; users are joined since one may be deleted."""
    user, supplier, model, questions, prompt, completion = columns
    return text(
        "INSERT INTO usage (user_id, day, supplier, model, questions, prompt_tokens,"
        f" completion_tokens) SELECT u.id, :day, {supplier}, {model}, {questions}, {prompt},"
        f" {completion} FROM {rows} AS r JOIN users AS u ON u.id = {user} WHERE true"
        " ON CONFLICT (user_id, day, supplier, model) DO UPDATE SET"
        " questions = usage.questions + excluded.questions,"
        " prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,"
        " completion_tokens = usage.completion_tokens + excluded.completion_tokens"
    ).bindparams(bindparam("day", type_=Date))


_ADD = {
    "sqlite": _statement(
        "json_each(:rows)", tuple(f"json_extract(r.value, '$[{n}]')" for n in range(6))
    ),
    "postgresql": _statement(
        "json_array_elements(CAST(:rows AS json))",
        (
            *(f"r.value->>{n}" for n in range(3)),
            *(f"CAST(r.value->>{n} AS bigint)" for n in range(3, 6)),
        ),
    ),
}


def add_use(t: Transaction, used: Iterable[Used], sign: int = 1) -> None:
    """Add what some answers have used, or take it off with the sign -1, in one statement."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for one in used:
        total = sums.setdefault((one.user_id, one.supplier, one.model), [0, 0, 0])
        for place, more in enumerate((1, one.prompt_tokens, one.completion_tokens)):
            total[place] += sign * more
    if not sums:
        return
    # In one order everywhere: transactions that add to the same rows must not deadlock.
    rows = [[*names, *numbers] for names, numbers in sorted(sums.items())]
    statement = _ADD[t.get_bind().dialect.name]
    t.execute(statement, {"rows": json.dumps(rows, ensure_ascii=False), "day": today()})
