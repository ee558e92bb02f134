"""What became of the candidates of a search."""

from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.core.trace import MAX_CANDIDATES, Candidate, Cut, Passages
from chatapp.knowledge.search.dense import DenseRanking
from chatapp.knowledge.search.lexical import index_for
from chatapp.knowledge.search.retrieve import find, load, retrieve
from chatapp.storage.models import Chunk, File, KnowledgeBase
from tests.support.shelf import Shelf, add_user

QUESTION = "When does the Zanzibar office close?"
RULES = "\n\n".join(
    f"# Rule {n}\n\nThe Zanzibar office closes at {n} o'clock on day {n}." for n in range(1, 41)
)


def search(shelf: Shelf, question: str, k: int, *bases: str) -> Passages:
    chosen = shelf.knowledge.select_bases(shelf.user, list(bases or [shelf.base]))
    return shelf.knowledge.search(chosen, question, k)


def candidates(found: Passages) -> tuple[Candidate, ...]:
    assert found.trace is not None
    return found.trace.candidates


def test_candidates_below_the_first_k_follow_the_passages(shelf: Shelf) -> None:
    file = shelf.add("rules.md", RULES)
    found = search(shelf, QUESTION, 5)
    assert found.trace is not None and (found.trace.k, found.trace.found) == (5, 40)
    traced = candidates(found)
    assert len(traced) == MAX_CANDIDATES
    assert [one.chunk_id for one in traced[:5]] == [passage.chunk_id for passage in found]
    assert [(one.n, one.cut) for one in traced[:5]] == [(n, None) for n in range(1, 6)]
    assert {(one.n, one.cut) for one in traced[5:]} == {(None, Cut.BELOW_K)}
    assert {one.file_id for one in traced} == {file["id"]}
    for one, passage in zip(traced, found, strict=False):
        assert (one.words, one.vectors, one.rerank) == (passage.by["words"], None, None)


def test_a_neighbour_is_named_with_the_passage_that_includes_it(shelf: Shelf) -> None:
    paragraphs = (
        f"Rule {n} of the zebra crossing. " + "More words are here. " * 40 for n in range(6)
    )
    shelf.add("long.txt", "\n\n".join(paragraphs))
    found = search(shelf, "zebra crossing", 5)
    traced = candidates(found)
    assert {one.cut for one in traced} >= {None, Cut.JOINED}
    assert [one.n for one in traced if one.cut is None] == list(range(1, len(found) + 1))
    rows = shelf.database.read(
        lambda t: {row.id: (row.start, row.end) for row in t.scalars(select(Chunk))}
    )
    for one in traced:
        if one.n is not None:
            start, end = rows[one.chunk_id]
            assert found[one.n - 1].start <= start < end <= found[one.n - 1].end


def test_a_copy_of_a_file_in_another_base_is_named(shelf: Shelf) -> None:
    other = shelf.knowledge.create(shelf.user, "other")["id"]
    shelf.add("rules.md", RULES)
    copy = shelf.add("rules.md", RULES, other)
    found = search(shelf, QUESTION, 5, shelf.base, other)
    copies = [one for one in candidates(found) if one.cut is Cut.COPY]
    assert copies and {one.file_id for one in copies} == {copy["id"]}
    assert all(one.words is not None and one.n is None for one in copies)
    assert found.trace is not None and found.trace.found == 80


def test_a_candidate_that_is_gone_is_named(shelf: Shelf) -> None:
    shelf.add("leave.txt", "The leave of employees is long.")
    gone = DenseRanking({9_999: 0.9}, 0.3)

    def search_with(t: Session) -> Passages:
        number = t.scalars(select(KnowledgeBase.number)).one()
        return retrieve(t, index_for(True), [number], "leave of employees", 5, None, gone)

    found = shelf.database.read(search_with)
    assert [(one.n, one.cut) for one in candidates(found)] == [(1, None), (None, Cut.GONE)]
    assert candidates(found)[1].vectors == 0.9


def test_the_order_and_scores_of_a_reranker_are_kept(shelf: Shelf) -> None:
    shelf.add("rules.md", RULES)

    def search_reranked(t: Session) -> tuple[Passages, list[int]]:
        number = t.scalars(select(KnowledgeBase.number)).one()
        candidates = find(t, index_for(True), [number], QUESTION)
        preferred = list(candidates.values)[6:8]
        scores = dict(zip(preferred, (-1.5, 2.25), strict=True))
        return load(t, replace(candidates, reranked=scores), 2), preferred[::-1]

    found, preferred = shelf.database.read(search_reranked)
    traced = candidates(found)
    assert [(one.chunk_id, one.rerank) for one in traced[:2]] == [
        (preferred[0], 2.25),
        (preferred[1], -1.5),
    ]
    assert {one.rerank for one in traced[2:]} == {None}
    assert traced[0].n == 1


def test_a_search_that_finds_nothing_has_a_trace(shelf: Shelf) -> None:
    found = search(shelf, "zebra", 5)
    assert found == [] and found.trace is not None
    assert (found.trace.found, found.trace.candidates) == (0, ())


def test_candidates_are_placed_where_they_are_now(shelf: Shelf) -> None:
    file = shelf.add("rules.md", RULES)
    (first, *_) = search(shelf, QUESTION, 5)
    asked = [{"chunk_id": first.chunk_id, "file_id": file["id"]}]
    nowhere = {"name": None, "knowledge_base_id": None, "heading": None, "start": None, "end": None}
    place = {name: getattr(first, name) for name in nowhere}
    assert shelf.knowledge.with_places(shelf.user, asked) == [asked[0] | place]
    stranger = add_user(shelf.database, "stranger")
    assert shelf.knowledge.with_places(stranger, asked) == [asked[0] | nowhere]
    other_chunks = [{"chunk_id": 9_999, "file_id": file["id"]}]
    [kept] = shelf.knowledge.with_places(shelf.user, other_chunks)
    assert (kept["name"], kept["start"]) == ("rules.md", None)
    shelf.database.write(lambda t: t.execute(update(File).values(status="deleting")) and None)
    assert shelf.knowledge.with_places(shelf.user, asked) == [asked[0] | nowhere]
