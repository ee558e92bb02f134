"""Reranking by a service over HTTP: what it is sent, what its scores change, and every way in which
it may fail a search."""

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chatapp.chains.http.connection import Route
from chatapp.core.text import count_tokens
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.search.rerank import Reranker, configured_reranker
from chatapp.settings import Settings, SettingsError
from tests.support.rerankserver import KEY, RerankServer
from tests.support.shelf import Shelf

# Keyword search prefers the first of these, then the second.
FILES = {
    "short.txt": "Employees get days of leave.",
    "long.txt": "Employees get days of leave, which they may also take in halves, in any month.",
    "other.txt": "The canteen closes for employees who are on a ship, in a lighthouse or at sea.",
}
QUESTION = "How many days of leave do employees get?"
UNUSABLE = (
    "key", "refused", "busy", "down", "redirect", "html", "empty", "number", "none", "null",
    "strings", "deep", "few", "twice", "index", "no score", "text", "nan", "flood",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with RerankServer() as running:
        yield running


def reranking(shelf: Shelf, server: RerankServer, **settings: Any) -> Shelf:
    """Return the shelf as after a restart with this reranker."""
    changed = dataclasses.replace(
        shelf.settings,
        **{"reranker": "some-reranker", "reranker_url": server.base_url, **settings},
    )
    return dataclasses.replace(
        shelf, settings=changed, knowledge=Knowledge(shelf.database, changed)
    )


@pytest.fixture
def reranked(shelf: Shelf, server: RerankServer) -> Shelf:
    for name, text in FILES.items():
        shelf.add(name, text)
    server.favourites = ("lighthouse", "halves")
    return reranking(shelf, server)


def names(found: list[Any]) -> list[str]:
    return [passage.name for passage in found]


# --- what it changes


def test_passages_come_in_the_order_of_the_reranker(shelf: Shelf, reranked: Shelf) -> None:
    assert names(shelf.search(QUESTION)) == ["short.txt", "long.txt", "other.txt"]
    found = reranked.search(QUESTION)
    assert names(found) == ["other.txt", "long.txt", "short.txt"]
    assert [passage.by["rerank"] for passage in found] == [-1.0, -2.0, -3.0]
    assert names(reranked.search(QUESTION, k=1)) == ["other.txt"]


def test_reranking_changes_no_score(shelf: Shelf, reranked: Shelf) -> None:
    before = {passage.name: passage for passage in shelf.search(QUESTION)}
    for passage in reranked.search(QUESTION):
        assert passage.score == before[passage.name].score
        assert {**before[passage.name].by, "rerank": passage.by["rerank"]} == passage.by


def test_joined_passages_take_the_place_of_the_best_and_keep_the_higher_score(
    shelf: Shelf, server: RerankServer
) -> None:
    parts = "\n\n".join(
        f"{word} days of leave. " + "It says more. " * 60 for word in ("One", "Two")
    )
    shelf.add("rules.txt", parts)
    shelf.add("leave.txt", FILES["short.txt"])
    server.favourites = ("Two",)
    (plain,) = [one for one in shelf.search("One days of leave") if one.name == "rules.txt"]
    joined = reranking(shelf, server).search("One days of leave")
    assert names(joined) == ["rules.txt", "leave.txt"]
    assert joined[0].text == plain.text and "One" in plain.text and "Two" in plain.text
    assert joined[0].score == plain.score


def test_candidates_beyond_the_reranked_ones_follow_them(
    shelf: Shelf, server: RerankServer
) -> None:
    for number in range(40):
        shelf.add(f"no{number:02d}.txt", "leave " + "and so on " * number)
    plain = names(shelf.search("leave", k=40))
    server.favourites = (plain[29].removesuffix(".txt"), plain[35].removesuffix(".txt"))
    found = reranking(shelf, server).search("leave", k=40)
    assert names(found) == [plain[29], *plain[:29], *plain[30:]]
    assert [passage.by["rerank"] is None for passage in found] == [False] * 30 + [True] * 10


def test_a_single_candidate_is_not_sent(shelf: Shelf, server: RerankServer) -> None:
    shelf.add("short.txt", FILES["short.txt"])
    assert "rerank" not in reranking(shelf, server).search(QUESTION)[0].by
    assert reranking(shelf, server).search("unrelated") == [] and server.asked == []


# --- what it is sent


def test_documents_are_sent_with_title_and_headings(shelf: Shelf, server: RerankServer) -> None:
    shelf.add("Handbook.md", "# Absence\n\n## Leave\n\nThere are thirty days of it.")
    shelf.add("more.txt", FILES["short.txt"])
    reranking(shelf, server, reranker_key=KEY).search("leave")
    (asked,) = server.asked
    assert (asked["model"], asked["query"], asked["top_n"]) == ("some-reranker", "leave", 2)
    assert any(text.startswith("Handbook\nAbsence › Leave\n") for text in asked["documents"])
    assert (server.paths, server.keys) == (["/v1/rerank"], [f"Bearer {KEY}"])


def test_no_key_is_sent_where_none_is_set(reranked: Shelf, server: RerankServer) -> None:
    reranked.search(QUESTION)
    assert server.keys == [None]


@pytest.mark.parametrize("letters", ["word ", "年假"])
def test_an_overlong_question_and_overlong_passages_are_cut(
    server: RerankServer, letters: str
) -> None:
    long = letters * 5000
    assert len(direct(server).scores(long, {1: long, 2: "short"})) == 2
    (asked,) = server.asked
    assert asked["documents"][1] == "short" and long.startswith(asked["documents"][0])
    tokens = count_tokens(asked["query"]), count_tokens(asked["documents"][0])
    assert tokens[0] > 100 and tokens[1] > 300 and sum(tokens) < 512


def test_text_embeddings_inference_is_understood_and_remembered(
    shelf: Shelf, reranked: Shelf
) -> None:
    with RerankServer(texts_only=True) as server:
        server.favourites = ("lighthouse", "halves")
        both = reranking(shelf, server, reranker_url=server.root_url)
        for _ in range(2):
            assert names(both.search(QUESTION)) == ["other.txt", "long.txt", "short.txt"]
        assert server.paths == ["/rerank"] * 3
        assert [sorted(payload) for payload in server.asked[1:]] == [
            ["query", "texts", "truncate"]
        ] * 2
        server.texts_only = False  # another service at the same address
        assert both.search(QUESTION)[0].by["rerank"] == -1.0


def test_no_transaction_is_open_while_the_service_is_asked(
    reranked: Shelf, server: RerankServer
) -> None:
    held: list[int] = []
    pool: Any = reranked.database.engine.pool
    server.meanwhile = lambda: held.append(pool.checkedout())
    reranked.search(QUESTION)
    assert held == [0]


def test_a_file_that_is_deleted_meanwhile_is_not_returned(
    reranked: Shelf, server: RerankServer
) -> None:
    files, _ = reranked.knowledge.files(reranked.user, reranked.base)
    (first,) = [file["id"] for file in files if file["name"] == "other.txt"]
    server.meanwhile = lambda: reranked.knowledge.delete_file(reranked.user, reranked.base, first)
    assert names(reranked.search(QUESTION)) == ["long.txt", "short.txt"]


def test_a_closed_connection_is_opened_again(server: RerankServer) -> None:
    reranker = direct(server)
    server.mood = "close"
    for _ in range(3):
        assert reranker.scores("q", {5: "a", 6: "b"}) == {5: -1.0, 6: -1.0}


# --- failures


def direct(server: RerankServer, seconds: float = 30) -> Reranker:
    return Reranker(Route(server.base_url), "some-reranker", KEY, seconds)


@pytest.mark.parametrize("mood", UNUSABLE)
def test_an_unusable_response_leaves_the_order_of_the_search(
    shelf: Shelf,
    reranked: Shelf,
    server: RerankServer,
    caplog: pytest.LogCaptureFixture,
    mood: str,
) -> None:
    server.mood = mood
    with caplog.at_level(logging.WARNING, "chatapp.knowledge"):
        assert reranked.search(QUESTION) == shelf.search(QUESTION)
    (line,) = caplog.messages
    assert "some-reranker" in line and "keeping the order of the search" in line
    assert KEY not in line and "leave" not in line
    assert "/elsewhere" not in server.paths


@pytest.mark.parametrize("mood", ["wait", "drip"])
def test_the_whole_call_has_a_time_limit(server: RerankServer, mood: str) -> None:
    server.mood = mood
    assert direct(server, 0.2).scores("q", {1: "a", 2: "b"}) == {}


def test_a_service_that_has_failed_is_not_asked_for_a_while(
    reranked: Shelf, server: RerankServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.mood = "down"
    reranked.search(QUESTION)
    server.mood = ""
    assert names(reranked.search(QUESTION))[0] == "short.txt"
    assert len(server.asked) == 1
    reranker = reranked.knowledge._reranker
    assert reranker is not None and reranker.pauses
    reranker._paused_until = 0.0
    assert names(reranked.search(QUESTION))[0] == "other.txt"
    assert not reranker.pauses


def test_an_unreachable_service_and_an_unusable_address_leave_the_order(
    shelf: Shelf, reranked: Shelf
) -> None:
    with RerankServer() as gone:
        url = gone.base_url
    expected = shelf.search(QUESTION)
    for address in (url, "https://" + url.partition("://")[2]):
        assert reranking(shelf, gone, reranker_url=address).search(QUESTION) == expected


def test_a_question_that_is_not_unicode_fails_no_search(server: RerankServer) -> None:
    assert direct(server).scores("\ud800", {1: "a", 2: "b"}) == {}


# --- settings


def test_no_reranker_is_configured_by_default() -> None:
    assert configured_reranker(Settings()) is None
    assert configured_reranker(Settings.from_env({"CHATAPP_RERANKER": "off"})) is None


def test_a_reranker_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="CHATAPP_RERANKER_URL"):
        Settings.from_env({"CHATAPP_RERANKER": "bge-reranker-v2-m3"})


def test_the_address_of_the_call_is_understood() -> None:
    settings = Settings.from_env(
        {
            "CHATAPP_RERANKER": "jina-reranker-v2-base-multilingual",
            "CHATAPP_RERANKER_URL": "https://api.jina.ai/v1/rerank",
            "CHATAPP_RERANKER_KEY": "Bearer jina_1",
        }
    )
    assert (settings.reranker_url, settings.reranker_key) == ("https://api.jina.ai/v1", "jina_1")
    assert "jina_1" not in repr(settings)


def test_a_local_reranker_is_called_without_the_proxy(
    reranked: Shelf, server: RerankServer
) -> None:
    proxied = reranking(reranked, server, proxy="http://127.0.0.1:9")
    assert names(proxied.search(QUESTION))[0] == "other.txt"
