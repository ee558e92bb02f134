"""Searching sessions: which words must occur where, and what the snippet shows."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chatapp.chat.session_matches import COMMON_MESSAGES, RECENT_SESSIONS, spellings
from chatapp.chat.session_search import marks, snippet, terms_of, ways
from chatapp.chat.sessions import Sessions
from chatapp.identity.accounts import Accounts
from chatapp.storage.database import Database
from chatapp.storage.message_index import Text, index_new
from chatapp.storage.message_models import UnindexedMessages
from chatapp.storage.models import Message, Session, new_id, now
from tests.support.postgres import BOTH, empty_database

START = now()
CHATS = {
    "Leave": ["How many days of paid leave?", "Twenty-seven days, says the handbook of Hamburg."],
    "Laptops": ["Who borrows laptops?", "Employees in the Hamburg office, for 14 days."],
    "年假规定": ["重庆办事处的员工有多少天带薪年假？", "十五天，见员工手册第三章。"],
    "Ärger mit Überstunden": ["Was tun bei ÄRGER?", "Straße 100%, C:\\new_plan und _unter_."],
    "Привет": ["Сколько дней отпуска?", "Двадцать восемь."],
}


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


@pytest.fixture
def user_id(database: Database) -> str:
    accounts = Accounts(database)
    accounts.ensure_admin("", "a-token-of-the-tests")
    user_id = accounts.administrator().id
    for minute, (title, texts) in enumerate(CHATS.items()):
        add(database, user_id, title, texts, minute)
    add(database, user_id, "secret", ["A temporary chat about Hamburg"], 9, kind="temporary")
    return user_id


def add(
    database: Database,
    user_id: str,
    title: str,
    texts: list[str],
    minute: int,
    kind: str = "chat",
    indexed: bool = True,
) -> None:
    session = Session(
        id=new_id(),
        user_id=user_id,
        title=title,
        kind=kind,
        updated_at=START + timedelta(minutes=minute),
    )
    database.write(lambda t: t.add(session))
    for text in texts:
        message = Message(
            id=new_id(), session_id=session.id, user_id=user_id, role="user", content=text
        )
        database.write(lambda t, message=message: t.add(message))  # type: ignore[misc]
        said = Text(message.id, user_id, text)
        if indexed:
            database.write(lambda t, said=said: index_new(t, [said]))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("hamburg", ["Laptops", "Leave"]),  # the latest first
        ("hamburg paid", ["Leave"]),  # in two messages
        ("PAID   Hamburg", ["Leave"]),  # in any order and case
        ("laptops 14", ["Laptops"]),  # in the title and in a message
        ("hamburg elephants", []),
        ('"paid leave"', ["Leave"]),
        ('"leave paid"', []),
        ('days "of Hamburg"', ["Leave"]),
        ("“hamburg office” days", ["Laptops"]),
        ('"hamburg off', ["Laptops"]),  # while it is typed
        ("带薪年假", ["年假规定"]),
        ("年假 手册", ["年假规定"]),
        ("「员工手册」 重庆", ["年假规定"]),
        ("手册重庆", ["年假规定"]),  # two words, which nobody separates
        ("重庆年假员工", ["年假规定"]),
        ("册手", []),
        ("大象重庆", []),
        ("年假2026", []),
        ("hamburg员工年假", []),
        ("年假十五天hamburg", []),
        ("第三章15重庆", []),
        ("“手册重庆”", []),
        ("ärger", ["Ärger mit Überstunden"]),
        ("überstunden STRASSE", []),
        ("überstunden STRAßE", ["Ärger mit Überstunden"]),
        ("ПРИВЕТ дней", ["Привет"]),
        ("100%", ["Ärger mit Überstunden"]),
        ("1%0", []),
        ("_unter_", ["Ärger mit Überstunden"]),
        ("n_w", []),
        ("new_plan c:\\new", ["Ärger mit Überstunden"]),
        ('"', []),
        ("' OR 1=1 --", []),
        ("   ", []),
        ("temporary", []),
    ],
)
def test_all_words_occur_in_the_title_or_the_messages(
    database: Database, user_id: str, query: str, titles: list[str]
) -> None:
    found = Sessions(database).search(user_id, query, 10)
    assert [each["title"] for each in found] == titles


def titles(database: Database, user_id: str, query: str, limit: int = 10) -> list[str]:
    return [each["title"] for each in Sessions(database).search(user_id, query, limit)]


def test_a_search_is_complete_while_messages_are_not_indexed(
    database: Database, user_id: str
) -> None:
    add(database, user_id, "Old", ["The zeppelin of Hamburg"], -9, indexed=False)
    assert titles(database, user_id, "zeppelin") == ["Old"], "one of the latest"
    database.write(lambda t: t.add(UnindexedMessages(below=10**6)))
    assert titles(database, user_id, "zeppelin") == ["Old"]
    assert titles(database, user_id, "hamburg") == ["Laptops", "Leave", "Old"]
    assert titles(database, user_id, "amburg") == ["Laptops", "Leave", "Old"]


def test_inside_words_only_the_latest_chats_are_searched(database: Database, user_id: str) -> None:
    assert titles(database, user_id, "amburg") == ["Laptops", "Leave"]
    assert titles(database, user_id, "amburg paid") == ["Leave"]
    for minute in range(RECENT_SESSIONS - 4):
        add(database, user_id, "new", [], 100 + minute)
    assert titles(database, user_id, "amburg") == ["Laptops"]
    assert titles(database, user_id, "hamburg") == ["Laptops", "Leave"]


def test_words_of_very_many_messages_are_found(database: Database, user_id: str) -> None:
    add(database, user_id, "Many", ["A word of ours"] * (COMMON_MESSAGES + 1), -1)
    add(database, user_id, "One", ["A word of others", "and zeppelin"], -2)
    assert titles(database, user_id, "word ours") == ["Many"]
    assert titles(database, user_id, "word others") == ["One"]
    assert titles(database, user_id, "word") == ["Many", "One"]
    assert titles(database, user_id, "word", 1) == ["Many"]
    assert titles(database, user_id, "word zeppelin elephant") == []


def test_other_users_sessions_are_not_found(database: Database, user_id: str) -> None:
    assert Sessions(database).search(new_id(), "hamburg", 10) == []


def test_the_number_of_results_is_limited(database: Database, user_id: str) -> None:
    assert [each["title"] for each in Sessions(database).search(user_id, "hamburg", 1)] == [
        "Laptops"
    ]


def test_sessions_with_all_words_in_the_title_come_first(database: Database, user_id: str) -> None:
    add(database, user_id, "Office in Hamburg", ["Where is it?"], -5)
    found = Sessions(database).search(user_id, "hamburg office", 10)
    assert [each["title"] for each in found] == ["Office in Hamburg", "Laptops"]
    assert [each["message_id"] is None for each in found] == [True, False]
    assert [each["title"] for each in Sessions(database).search(user_id, "hamburg office", 1)] == [
        "Office in Hamburg"
    ]


def test_what_was_found_is_marked_and_names_its_message(database: Database, user_id: str) -> None:
    [found] = Sessions(database).search(user_id, "手册重庆", 1)
    message = Sessions(database).message(user_id, found["message_id"])
    assert message["content"] == found["snippet"] == CHATS["年假规定"][1]
    assert [found["snippet"][start:end] for start, end in found["snippet_marks"]] == ["手册"]
    [found] = Sessions(database).search(user_id, "borrows LAPTOPS", 1)
    assert found["title_marks"] == [(0, 7)]
    assert found["snippet_marks"] == [(4, 11), (12, 19)]


def test_marks_do_not_overlap() -> None:
    assert marks("aaXbbb aab", ["aa", "aab", "XB"]) == [(0, 4), (7, 10)]
    assert marks("\U0001f600 leave", ["leave"]) == [(2, 7)], "code points"
    assert marks("nothing", ["else"]) == []


def test_chinese_is_read_as_words_of_two_or_three_characters() -> None:
    assert ways("重庆年假") == [["重庆", "年假"]]
    assert ways("员工手册的") == [["员工", "手册的"], ["员工手", "册的"]]
    assert ways("年") == [["年"]] and ways("plain") == [["plain"]]
    assert ways("很" * 9) == [["很" * 9]], "a sentence is not split"
    assert all(sum(map(len, way)) == 8 for way in ways("一二三四五六七八"))


def test_a_snippet_shows_the_message_with_the_most_words(database: Database, user_id: str) -> None:
    def shown(query: str) -> str:
        [found] = Sessions(database).search(user_id, query, 1)
        return str(found["snippet"])

    assert shown("days hamburg handbook") == CHATS["Leave"][1]
    assert shown("paid") == CHATS["Leave"][0]
    assert shown("年假规定") == "年假规定", "where only the title contains it"


def test_a_snippet_is_cut_where_most_words_stand_together() -> None:
    text = "Leave is paid. " + "x " * 300 + "In Hamburg, leave is 27 days. " + "y " * 300
    cut = snippet(text, ["leave", "hamburg", "days"])
    assert "In Hamburg, leave is 27 days." in cut
    assert cut.startswith("…") and cut.endswith("…") and len(cut) < 300
    assert snippet("İİİİ " * 50 + "needle", ["NEEDLE"]).endswith("needle")
    assert snippet("Nothing of it", ["needle"]) == "Nothing of it"
    long = "needle " * 40
    assert long[:100] in snippet(long, [long.strip()]), "a phrase longer than a snippet"


def test_a_snippet_shows_no_markdown() -> None:
    text = (
        "## Leave\n\n- **Thirty** days in [Hamburg](https://example.org/leave)\n\n"
        "| office | days |\n|:--|--:|\n| Kiel | `28` |\n\n```sh\nls\n```\n> *noted*"
    )
    shown = "Leave Thirty days in Hamburg office days Kiel `28` ls noted"
    assert snippet(text, ["hamburg"]) == shown
    assert "https://example.org" in snippet(text, ["example.org"]), "found in an address"
    assert snippet("a | b, x || y, 2 - 1", ["x"]) == "a | b, x || y, 2 - 1"


def test_a_query_is_words_and_phrases() -> None:
    assert terms_of('one "two  three" Four four') == ["one", "two three", "four"]
    assert terms_of('a"b "" “x y” 「中 文」“') == ['a"b', "x y", "中 文"]
    assert terms_of('"open phrase') == ["open phrase"]
    assert terms_of('"') == ['"']
    assert terms_of("  ") == []
    assert spellings("plain") == ["plain"]
    assert {"ä", "Ä"} <= set(spellings("ä"))
