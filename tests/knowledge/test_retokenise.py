"""Bases with the tokens of an earlier version: searched throughout while they are made anew."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text, update

from chatapp.core.text import SPLIT_BY_INVISIBLE, TOKENIZER, UNFOLDED
from chatapp.knowledge.ingest.jobs import BATCH_CHUNKS
from chatapp.knowledge.ingest.pipeline import Ingest
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.retokenise import STEP_BATCHES, Retokeniser
from chatapp.knowledge.search.bm25 import KEYS_PER_VERSION, Scope
from chatapp.knowledge.search.lexical import index_for
from chatapp.storage.models import KnowledgeBase
from tests.support.declaration import QUESTIONS, TRADITIONAL, as_markdown
from tests.support.service import wait_for
from tests.support.shelf import Shelf, parse_here
from tests.support.worker import worker

STEPS = 2  # that LONG takes
LONG = as_markdown(
    {
        f"第{number}條": f"這是一條規定，編號{number}。"
        for number in range(STEP_BATCHES * BATCH_CHUNKS + 100)
    }
)


def set_version(shelf: Shelf, version: int, base: str | None = None) -> None:
    of_base = update(KnowledgeBase).where(KnowledgeBase.id == (base or shelf.base))
    shelf.database.write(lambda t: t.execute(of_base.values(tokenizer=version)) and None)


def version_of(shelf: Shelf, base: str | None = None) -> int:
    query = KnowledgeBase.id == (base or shelf.base)
    return shelf.database.read(lambda t: t.query(KnowledgeBase).filter(query).one().tokenizer)


def retokeniser(shelf: Shelf, **options: Any) -> Retokeniser:
    return Retokeniser(shelf.database, index_for(shelf.database.sqlite), grace_seconds=0, **options)


def finish(shelf: Shelf, after_step: Callable[[], None] = lambda: None) -> None:
    made = retokeniser(shelf)
    while made.run_step():
        after_step()


def rows(shelf: Shelf) -> dict[int, int]:
    """Return how many rows of the index each version has."""
    key = "rowid" if shelf.database.sqlite else "chunk_id"
    query = text(f"SELECT {key} / {KEYS_PER_VERSION} + 1, count(*) FROM lexical GROUP BY 1")
    return dict(shelf.database.read(lambda t: [tuple(row) for row in t.execute(query)]))


def totals(shelf: Shelf) -> Any:
    query = text("SELECT sum(chunks), sum(tokens) FROM knowledge_bases")
    return shelf.database.read(lambda t: tuple(t.execute(query).one()))


def statistics(shelf: Shelf, token: str) -> int:
    """Return in how many chunks a token is counted."""
    index = index_for(shelf.database.sqlite)
    numbers = shelf.knowledge.select_bases(shelf.user, [shelf.base]).numbers
    scope = Scope(tuple(numbers))
    found = shelf.database.read(lambda t: index.statistics(t, scope, [token]))
    return found.frequencies.get(token, 0)


def headings(shelf: Shelf, question: str, bases: list[str] | None = None) -> list[str]:
    return [passage.heading for passage in shelf.search(question, bases=bases)]


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_totals_follow_chunks_that_get_another_number_of_tokens(
    either_shelf: Shelf, when: str
) -> None:
    shelf = either_shelf
    set_version(shelf, SPLIT_BY_INVISIBLE)
    rules = range(STEP_BATCHES * BATCH_CHUNKS + 100)
    first = shelf.add(
        "first.md", "\n\n".join(f"# Rule {n}\n\nwor\u200bking da\u2060ys" for n in rules)
    )
    made = retokeniser(shelf)
    other = shelf.add("other.md", "# Rule\n\nwor\u200bking days.")
    if when == "between":
        assert made.run_step() and set(rows(shelf)) == {SPLIT_BY_INVISIBLE, TOKENIZER}
    elif when == "after":
        finish(shelf)
    shelf.knowledge.delete_file(shelf.user, shelf.base, first["id"])
    shelf.knowledge.delete_file(shelf.user, shelf.base, other["id"])
    remover = Remover(shelf.database, index_for(shelf.database.sqlite), shelf.knowledge.originals)
    while remover.run_step():
        pass
    assert shelf.leftovers() == {}


def test_an_earlier_base_answers_and_then_finds_the_other_script(either_shelf: Shelf) -> None:
    shelf = either_shelf
    set_version(shelf, UNFOLDED)
    shelf.add("宣言.md", as_markdown(TRADITIONAL))
    assert rows(shelf) == {UNFOLDED: len(TRADITIONAL)}
    articles = list(TRADITIONAL)
    for traditional, _, number in QUESTIONS:
        assert headings(shelf, traditional)[0] == articles[number]
    before = totals(shelf), [shelf.search(one) for one, _, _ in QUESTIONS]
    assert headings(shelf, "国籍") == []

    assert shelf.knowledge.has_work()
    finish(shelf)

    assert version_of(shelf) == TOKENIZER and not shelf.knowledge.has_work()
    assert rows(shelf) == {TOKENIZER: len(TRADITIONAL)}
    assert (totals(shelf), [shelf.search(one) for one, _, _ in QUESTIONS]) == before
    for _, in_simplified, number in QUESTIONS:
        assert headings(shelf, in_simplified)[0] == articles[number]
    assert statistics(shelf, "国籍") == 1
    assert shelf.database.sqlite or shelf.count("terms WHERE term = '國籍'") == 0
    file = shelf.knowledge.files(shelf.user, shelf.base)[0][0]
    shelf.knowledge.delete_file(shelf.user, shelf.base, file["id"])
    assert shelf.leftovers() == {}


def test_it_is_searched_alike_after_each_step_and_switches_when_all_is_done(
    either_shelf: Shelf,
) -> None:
    shelf = either_shelf
    set_version(shelf, UNFOLDED)
    shelf.add("long.md", LONG)
    question = "編號七的規定"
    before = shelf.search(question)
    seen = []

    def look() -> None:
        assert shelf.search(question) == before != []
        seen.append((version_of(shelf), bool(shelf.search("编号"))))

    finish(shelf, look)
    assert seen[:STEPS] == [(UNFOLDED, False)] * STEPS
    assert set(seen[STEPS:]) == {(TOKENIZER, True)}


def test_bases_of_both_versions_are_searched_at_once(either_shelf: Shelf) -> None:
    shelf = either_shelf
    set_version(shelf, UNFOLDED)
    shelf.add("earlier.md", "# 國籍\n\n人人有權享有國籍。")
    newer = shelf.knowledge.create(shelf.user, "newer")["id"]
    shelf.add("newer.md", "# 国籍法\n\n国籍不得任意剥夺，国籍可以改变。", newer)
    both = [shelf.base, newer]
    found = shelf.search("國籍", bases=both)
    assert {passage.name for passage in found} == {"earlier.md", "newer.md"}
    assert [passage.quote for passage in found if passage.name == "earlier.md"] == [
        "人人有權享有國籍。"
    ]
    assert {passage.name for passage in shelf.search("国籍", bases=both)} == {"newer.md"}
    md5 = shelf.knowledge.files(shelf.user, newer)[0][0]["md5"]
    assert {each.name for each in shelf.search("國籍", md5s=[md5], bases=both)} == {"newer.md"}
    finish(shelf)
    for question in ("國籍", "国籍"):
        assert len(shelf.search(question, bases=both)) == 2


def test_files_may_be_added_and_deleted_meanwhile(either_shelf: Shelf) -> None:
    shelf = either_shelf
    set_version(shelf, UNFOLDED)
    gone = shelf.add("long.md", LONG)
    made = retokeniser(shelf)
    assert made.run_step() and version_of(shelf) == UNFOLDED
    shelf.add("added.md", "# 國籍\n\n人人有權享有國籍。")
    assert headings(shelf, "國籍") == ["國籍"]
    shelf.knowledge.delete_file(shelf.user, shelf.base, gone["id"])
    remover = Remover(shelf.database, index_for(shelf.database.sqlite), shelf.knowledge.originals)
    while remover.run_step() or made.run_step():
        pass
    assert rows(shelf) == {TOKENIZER: 1}
    assert headings(shelf, "国籍") == ["國籍"]
    shelf.knowledge.delete(shelf.user, shelf.base)
    assert shelf.leftovers() == {}


class SwitchesMeanwhile:
    """A database in which the base switches as soon as its version has been read."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.write, self.write_deletion = shelf.database.write, shelf.database.write_deletion

    def read(self, fn: Callable[..., Any]) -> Any:
        value = self._shelf.database.read(fn)
        if value == UNFOLDED:
            finish(self._shelf)
        return value


def test_a_file_that_is_read_while_its_base_switches_has_the_new_tokens(shelf: Shelf) -> None:
    set_version(shelf, UNFOLDED)
    shelf.put("a.md", "# 國籍\n\n人人有權享有國籍。")
    ingest = Ingest(
        SwitchesMeanwhile(shelf),  # type: ignore[arg-type]
        index_for(True),
        shelf.knowledge.originals,
        parse_here,
    )
    job = ingest.claim("a worker")
    assert job and ingest.read(job) == "ready"
    assert rows(shelf) == {TOKENIZER: 1}
    assert headings(shelf, "国籍") == headings(shelf, "國籍") == ["國籍"]


def test_a_search_that_began_before_the_switch_still_finds_the_old_rows(shelf: Shelf) -> None:
    set_version(shelf, UNFOLDED)
    shelf.add("a.md", "# 國籍\n\n人人有權享有國籍。")
    patient = Retokeniser(shelf.database, index_for(True), grace_seconds=3600)
    while patient.run_step():
        pass
    assert version_of(shelf) == TOKENIZER
    assert rows(shelf) == {UNFOLDED: 1, TOKENIZER: 1}
    finish(shelf)
    assert rows(shelf) == {TOKENIZER: 1}


def test_a_base_that_is_being_deleted_is_left_alone(shelf: Shelf) -> None:
    set_version(shelf, UNFOLDED)
    shelf.add("a.md", "# 國籍\n\n人人有權享有國籍。")
    shelf.database.write(lambda t: t.execute(update(KnowledgeBase).values(user_id=None)) and None)
    assert not retokeniser(shelf).run_step()
    assert rows(shelf) == {UNFOLDED: 1}


@pytest.mark.parametrize("kill_at", ["beside", "switched"])
def test_killed_in_the_middle_nothing_changes_and_the_next_worker_finishes(
    shelf: Shelf, kill_at: str
) -> None:
    set_version(shelf, UNFOLDED)
    shelf.add("long.md", LONG)
    question = "編號七的規定"
    before, counted = shelf.search(question), totals(shelf)
    chunks = shelf.count("chunks")
    with worker(shelf.settings.home) as process:
        if kill_at == "beside":
            wait_for(lambda: rows(shelf).get(TOKENIZER))
        else:
            wait_for(lambda: version_of(shelf) == TOKENIZER)
        process.kill()
        process.wait()
    assert rows(shelf)[UNFOLDED] == chunks
    assert (version_of(shelf) == TOKENIZER) == (kill_at == "switched")
    assert (shelf.search(question), totals(shelf)) == (before, counted)
    with worker(shelf.settings.home):
        wait_for(lambda: rows(shelf) == {TOKENIZER: chunks})
    assert (shelf.search(question), totals(shelf)) == (before, counted)
    assert shelf.search("编号七的规定") == before
