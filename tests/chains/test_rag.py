"""The two chains, and which questions are rewritten to stand alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from chatapp.chains.build import Finished, Retrieved, build_chain, pieces
from chatapp.chains.endpoint import Parameters
from chatapp.chains.followup import depends_on_history, rewriter, with_previous
from chatapp.chains.models import Models
from chatapp.core.events import Chunk, Status
from chatapp.core.prompt import Ask, Prompt, Turn, Unread
from tests.support.modelthinking import ANSWER
from tests.support.passages import passage
from tests.support.supplier import Supplier

HISTORY = [
    Turn("user", "How many days of leave do employees get?"),
    Turn("assistant", "25 days [1]."),
]


class Canned:
    """A model that says the same every time and notes its prompts."""

    def __init__(self, *said: Any) -> None:
        self.said = said
        self.prompts: list[Prompt] = []

    def stream_text(self, prompt: Prompt) -> Iterator[Any]:
        self.prompts.append(prompt)
        yield from self.said


def test_the_plain_chain_is_prompt_and_model() -> None:
    model = Canned("a", "b")
    assert list(pieces(build_chain(model).stream(Ask("q", HISTORY)))) == [
        Chunk("a"),
        Chunk("b"),
        Finished(None, {}),
    ]
    prompt = model.prompts[0]
    assert [turn.role for turn in prompt.turns] == ["system", "user", "assistant", "user"]
    assert not prompt.grounded


def test_the_retrieval_chain_streams_stages_and_passages() -> None:
    model = Canned("a")
    found = list(pieces(build_chain(model, lambda query: [passage()]).stream(Ask("q"))))
    assert found == [
        Status("searching"),
        Retrieved((passage(),), {"passages": 0, "history": 0}, "q"),
        Status("writing"),
        Chunk("a"),
        Finished(None, {}),
    ]
    prompt = model.prompts[0]
    assert prompt.grounded and prompt.passages == [passage()]
    assert "[1] leave.pdf, p. 3" in prompt.turns[-1].content


@pytest.mark.parametrize("retrieve", [None, lambda query: [passage()]])
def test_a_chain_streams_the_same_to_callbacks_and_without_any(retrieve: Any) -> None:
    class Seen(BaseCallbackHandler):
        begun = 0

        def on_chain_start(self, *_: Any, **__: Any) -> None:
            self.begun += 1

    seen = Seen()
    chain = build_chain(Canned("a", "b"), retrieve)
    assert list(chain.stream(Ask("q"))) == list(chain.stream(Ask("q"), {"callbacks": [seen]}))
    assert seen.begun == 1


def test_passages_that_do_not_fit_are_cut_and_counted() -> None:
    long = [passage(text="x" * 12_000, chunk_id=n) for n in range(5)]
    found = [
        p
        for p in pieces(build_chain(Canned(), lambda query: long).stream(Ask("q")))
        if isinstance(p, Retrieved)
    ][0]
    assert len(found.passages) == 1 and found.cut == {"passages": 4, "history": 0}


def test_an_empty_search_is_streamed_too() -> None:
    found = list(pieces(build_chain(Canned("a"), lambda query: []).stream(Ask("q"))))
    assert found[1] == Retrieved((), {"passages": 0, "history": 0}, "q")


def test_an_error_of_the_search_is_raised() -> None:
    def broken(query: str) -> list[Any]:
        raise RuntimeError("search")

    with pytest.raises(RuntimeError, match="search"):
        list(pieces(build_chain(Canned(), broken).stream(Ask("q"))))


@pytest.mark.parametrize(
    "question",
    [
        "And for interns?",
        "What about it?",
        "Why?",
        "Is that true?",
        "How long do they take?",
        "What is the second one?",
        "那实习生呢？",
        "它有什么限制？",
        "为什么？",
        "这个怎么申请？",
        "继续",
        "第二点再详细说说",
        "他们可以转正吗？",
        "這個政策從什麼時候開始？",
        "第二點再詳細說說",
        "這麼長的假期，還有誰可以享受？",
    ],
)
def test_questions_that_depend_on_history(question: str) -> None:
    assert depends_on_history(question, HISTORY)
    assert not depends_on_history(question, [])


@pytest.mark.parametrize(
    "question",
    [
        "How many days of leave do interns get in their first year?",
        "Which form has to be filled in for parental leave?",
        "Name the rule that covers travel on weekends.",
        "实习生每年有多少天年假？",
        "请列出出差报销需要的其他材料有哪些",
        "公司的差旅标准在哪个城市最高？",
        "Thanks!",
        "好的，谢谢",
        "OK, got it",
        "😊",
    ],
)
def test_questions_that_stand_alone(question: str) -> None:
    assert not depends_on_history(question, HISTORY)


def search(
    supplier: Supplier, models: Models, name: str, question: str, **options: Any
) -> tuple[list[str], list[Any]]:
    queries: list[str] = []
    model = models.model(supplier.endpoint(**options), Parameters(name))
    chain = build_chain(model, lambda query: queries.append(query) or [], rewrite=True)  # type: ignore[func-returns-value]
    return queries, list(pieces(chain.stream(Ask(question, HISTORY))))


def test_a_follow_up_is_rewritten_by_one_short_call(supplier: Supplier, models: Models) -> None:
    before = len(supplier.server.asked())
    queries, found = search(supplier, models, "zen-rewrite", "And interns?")
    assert queries == ["How many days of leave do interns get?"]
    assert found[0] == Status("rewriting")
    assert len(supplier.server.asked()) - before == 2
    assert "25 days" in str(supplier.server.asked()[before].body["messages"])


def test_a_question_that_stands_alone_is_not_rewritten(supplier: Supplier, models: Models) -> None:
    queries, found = search(
        supplier, models, "zen-rewrite", "Which form has to be filled in for parental leave?"
    )
    assert queries == ["Which form has to be filled in for parental leave?"]
    assert found[0] == Status("searching")


@pytest.mark.parametrize("name", ["refuse-500", "flood-3000", "html"])
def test_a_failed_rewrite_searches_with_the_question_before(
    supplier: Supplier, models: Models, name: str
) -> None:
    model = models.model(supplier.endpoint(), Parameters(name))
    stream = pieces(
        build_chain(model, lambda query: [passage(quote=query)], rewrite=True).stream(
            Ask("Why?", HISTORY)
        )
    )
    found = next(piece for piece in stream if isinstance(piece, Retrieved))
    stream.close()  # type: ignore[attr-defined]
    assert found.query == f"{HISTORY[0].content}\nWhy?"


def test_a_rewrite_has_none_of_the_model_s_thinking(supplier: Supplier, models: Models) -> None:
    rewrite = rewriter(models.model(supplier.endpoint(), Parameters("thinks-in-closing-tag")), 30)
    assert rewrite is not None
    assert rewrite(Ask("Why?", HISTORY)) == ANSWER


@pytest.mark.parametrize("name", ["hang-before-headers", "hang-mid", "drip-headers", "pings"])
def test_a_hanging_rewrite_times_out(supplier: Supplier, models: Models, name: str) -> None:
    rewrite = rewriter(models.model(supplier.endpoint(), Parameters(name)), 0.2)
    assert rewrite is not None
    assert rewrite(Ask("Why?", HISTORY)) == "Why?"


def test_a_model_without_a_time_limit_does_not_rewrite() -> None:
    model = Canned("a")
    found = list(
        pieces(build_chain(model, lambda query: [], rewrite=True).stream(Ask("Why?", HISTORY)))
    )
    assert found[0] == Status("searching")
    assert len(model.prompts) == 1


@pytest.mark.parametrize(
    ("asked", "joined"),
    [
        (["How much leave is there?"], "How much leave is there?\nWhy?"),
        (["Which form?", "Can I carry it over?"], "Which form?\nCan I carry it over?\nWhy?"),
        (["Old one", "How much leave do interns get?"], "How much leave do interns get?\nWhy?"),
        (["a", "b", "c", "And it?"], "c\nAnd it?\nWhy?"),
        ([" "], "Why?"),
    ],
)
def test_without_a_model_the_questions_before_it_are_searched_for_too(
    asked: list[str], joined: str
) -> None:
    history = [turn for text in asked for turn in (Turn("user", text), Turn("assistant", "Yes."))]
    queries: list[str] = []
    chain = build_chain(Canned("a"), lambda query: queries.append(query) or [])  # type: ignore[func-returns-value]
    found = list(pieces(chain.stream(Ask("Why?", history))))
    assert queries == [joined]
    assert found[0] == Status("searching"), "no model is asked to rewrite it"
    assert with_previous("Why?", history) == joined


def test_the_chain_waits_for_a_recent_file() -> None:
    looks = iter([[Unread("1", "leave.pdf", 1.0)], [Unread("1", "leave.pdf", 1.2)], []])
    found = list(
        pieces(
            build_chain(Canned("a"), lambda query: [passage()], False, lambda: next(looks)).stream(
                Ask("q")
            )
        )
    )
    assert found[:2] == [Status("reading"), Status("searching")]
    assert found[2] == Retrieved((passage(),), {"passages": 0, "history": 0}, "q")


def test_unread_files_are_reported_and_named_to_the_model() -> None:
    model = Canned("a")
    chain = build_chain(
        model, lambda query: [passage()], False, lambda: [Unread("1", "old.pdf", 4000.0)]
    )
    found = list(pieces(chain.stream(Ask("q"))))
    assert found[0] == Status("searching"), "a long queue holds nobody"
    retrieved = next(piece for piece in found if isinstance(piece, Retrieved))
    assert retrieved.cut["unread"] == [{"file_id": "1", "name": "old.pdf"}]
    prompt = model.prompts[0]
    assert prompt.unread == ("old.pdf",) and "old.pdf" in prompt.turns[0].content
