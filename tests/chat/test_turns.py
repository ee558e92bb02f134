"""What a question finds and stores before its answer can start."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from chatapp.chat.chosen_model import ModelRequest
from chatapp.chat.question import Opened, Question
from chatapp.chat.reaping import heartbeats, reap
from chatapp.chat.turns import Turns
from chatapp.errors import Busy, InvalidRequest, ModelGone, NotFound, TooManyAnswers
from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.web.services import Services

Ask = Callable[[Question], Opened]


@pytest.fixture
def ask(services: Services, admin: Person) -> Ask:
    return lambda question: services.turns.open(admin.id, question)


@pytest.fixture
def end_all(services: Services) -> Callable[[], Any]:
    return lambda: services.database.write(lambda t: reap(t, heartbeats(t)))


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """Collect the SQL statements that run."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    yield said
    event.remove(services.database.engine, "before_cursor_execute", note)


def save(services: Services, name: str) -> str:
    values = {"name": name, "base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
    return str(services.suppliers.create(values, "sk-x")["id"])


def test_a_question_costs_few_statements(
    services: Services, ask: Ask, end_all: Callable[[], Any]
) -> None:
    save(services, "one")
    ask(Question(text="First"))
    with statements(services) as said:
        opened = ask(
            Question(text="Hello", client_message_id="a", model_request=ModelRequest("one", "m"))
        )
    assert len(said) == 7, said  # begin, seen?, how many live, the supplier, session, messages, run
    end_all()
    with statements(services) as said:
        ask(Question(text="And then?", session_id=opened.session_id))
    assert len(said) == 9, (
        said
    )  # begin, how many live, session, free?, the supplier, history, session, messages, run


def test_too_many_answers_name_a_retry_time(
    services: Services, settings: Settings, admin: Person
) -> None:
    turns = Turns(services.database, replace(settings, answers_per_user=1), services.suppliers)
    turns.open(admin.id, Question(text="First"))
    with pytest.raises(TooManyAnswers) as refused:
        turns.open(admin.id, Question(text="Second"))
    assert refused.value.status == 429 and refused.value.retry_after


def test_a_repeated_id_finds_its_answer_when_the_model_is_gone(
    services: Services, ask: Ask
) -> None:
    supplier_id = save(services, "one")
    question = Question(text="q", client_message_id="a", model_request=ModelRequest("one", "m"))
    first = ask(question)
    services.suppliers.delete(supplier_id)
    again = ask(question)
    assert (again.message_id, again.ask) == (first.message_id, None)
    with pytest.raises(ModelGone):
        ask(Question(text="q", client_message_id="b", model_request=ModelRequest("one", "m")))


def test_a_repeated_id_finds_its_answer_when_the_base_is_gone(
    services: Services, admin: Person, ask: Ask
) -> None:
    base_id = services.knowledge.create(admin.id, "Base")["id"]
    question = Question(text="q", client_message_id="a", bases=[base_id])
    first = ask(question)
    services.knowledge.delete(admin.id, base_id)
    assert ask(question).message_id == first.message_id
    with pytest.raises(NotFound):
        ask(Question(text="q", client_message_id="b", bases=[base_id]))


def test_a_repeated_id_finds_its_answer_when_the_session_is_busy(ask: Ask) -> None:
    first = ask(Question(text="q", client_message_id="a"))
    assert (
        ask(Question(text="q", client_message_id="a", session_id=first.session_id)).message_id
        == first.message_id
    )
    with pytest.raises(Busy):
        ask(Question(text="q", client_message_id="b", session_id=first.session_id))


def test_a_refused_question_stores_nothing(services: Services, admin: Person, ask: Ask) -> None:
    for question, error in (
        (Question(text="q", model_request=ModelRequest("nobody", "m")), ModelGone),
        (Question(text="q", bases=["no such base"]), NotFound),
        (Question(text="q", parent_id="no such message"), NotFound),
        (Question(text="q", session_id="no such session"), NotFound),
    ):
        with pytest.raises(error):
            ask(question)
    assert services.sessions.page(admin.id, None, 10)[0] == []


def test_a_parent_belongs_to_the_session(ask: Ask) -> None:
    parent = ask(Question(text="q")).message_id
    with pytest.raises(InvalidRequest):
        ask(Question(text="q", parent_id=parent))


def test_the_last_chat_s_model_is_asked_first(services: Services, ask: Ask) -> None:
    save(services, "one")
    save(services, "two")
    ask(Question(text="q", model_request=ModelRequest("two", "m")))
    again = ask(Question(text="q"))
    assert again.resolved is not None
    assert again.resolved.supplier == "two"
