"""Shared bases without HTTP, on both databases."""

from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import update

from chatapp.errors import Forbidden, InvalidRequest, NotFound
from chatapp.identity.users import Users
from chatapp.knowledge.suggestions import Suggestions
from chatapp.storage.models import User
from tests.support.shelf import Shelf, add_user

CODE = (
    "# Parental leave\n\nParents stay at home for up to fourteen months after the birth of a child."
)
Access = dict[str, Any]


def share(shelf: Shelf, base: str | None = None, by: str = "", **values: Any) -> Access:
    return shelf.knowledge.change(by or shelf.user, base or shelf.base, values)


def named(*people: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "access": access} for name, access in people]


def seen(shelf: Shelf, user: str) -> list[str]:
    return [base["id"] for base in shelf.knowledge.bases(user)]


def test_a_named_reader_reads_and_does_not_change(either_shelf: Shelf) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    file = shelf.add("leave.md", CODE)["id"]
    li, stranger = add_user(shelf.database, "Li Na"), add_user(shelf.database, "Wang")
    shown = share(shelf, shared_with=named(("Li Na", "read")))
    assert (shown["owner"], shown["own"], shown["may"]) == ("reader", True, "manage")
    (base,) = knowledge.bases(li)
    assert (base["id"], base["owner"], base["own"]) == (shelf.base, "reader", False)
    assert (base["may"], base["access"], base["shared_with"]) == ("read", "private", None)
    assert seen(shelf, stranger) == []
    bases = knowledge.select_bases(li, [shelf.base])
    assert [found.file_id for found in knowledge.search(bases, "parental leave")] == [file]
    assert knowledge.content(li, shelf.base, file)[0].is_file()
    asked = Suggestions(shelf.database)
    assert [one["file_id"] for one in asked.about(li, "en", 3)] == [file]
    assert asked.about(stranger, "en", 3) == []
    for change in (
        lambda: knowledge.add_file(li, shelf.base, "a.txt", BytesIO(b"x")),
        lambda: knowledge.delete_file(li, shelf.base, file),
        lambda: knowledge.retry_file(li, shelf.base, file),
        lambda: knowledge.web_pages.add(li, shelf.base, "https://www.example.com"),
        lambda: share(shelf, by=li, name="mine"),
        lambda: share(shelf, by=li, access="write"),
        lambda: knowledge.delete(li, shelf.base),
    ):
        with pytest.raises(Forbidden):
            change()
    assert shelf.knowledge.base(shelf.user, shelf.base)["name"] == "Handbook"


def test_a_writer_changes_files_only_and_the_owner_pays(either_shelf: Shelf) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    writer = add_user(shelf.database, "writer")
    share(shelf, access="read", shared_with=named(("writer", "write")))
    row = knowledge.add_file(writer, shelf.base, "a.txt", BytesIO(b"The leave."))
    assert knowledge.usage(shelf.user)["files"] == 1 and knowledge.usage(writer)["files"] == 0
    assert knowledge.base(writer, shelf.base)["may"] == "write"
    with pytest.raises(Forbidden):
        knowledge.delete(writer, shelf.base)
    knowledge.delete_file(writer, shelf.base, row["id"])
    assert knowledge.files(shelf.user, shelf.base) == ([], None)


def test_a_share_that_ends_ends_at_once(either_shelf: Shelf) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    file = shelf.add("leave.md", CODE)["id"]
    li = add_user(shelf.database, "Li Na")
    for granted, ended in (
        ({"access": "read"}, {"access": "private"}),
        ({"shared_with": named(("Li Na", "write"))}, {"shared_with": []}),
    ):
        share(shelf, **granted)
        assert seen(shelf, li) == [shelf.base]
        (trace,) = knowledge.with_places(li, [{"file_id": file, "chunk_id": 0}])
        assert trace["name"] == "leave.md"
        share(shelf, **ended)
        assert seen(shelf, li) == []
        (trace,) = knowledge.with_places(li, [{"file_id": file, "chunk_id": 0}])
        assert (trace["name"], trace["knowledge_base_id"]) == (None, None)
        for use in (
            lambda: knowledge.select_bases(li, [shelf.base]),
            lambda: knowledge.file(li, shelf.base, file),
            lambda: knowledge.content(li, shelf.base, file),
            lambda: knowledge.chunks(li, shelf.base, file),
        ):
            with pytest.raises(NotFound):
                use()
    lost = knowledge.select_bases(shelf.user, [shelf.base])
    assert lost.lost == ()


class _EndsTheShare(BytesIO):
    """A file whose share ends while it arrives."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(b"The leave of employees.")
        self._shelf = shelf

    def read(self, size: int | None = -1) -> bytes:
        share(self._shelf, access="private")
        return super().read(size)


def test_an_upload_is_refused_that_arrives_after_the_share_has_ended(either_shelf: Shelf) -> None:
    shelf = either_shelf
    writer = add_user(shelf.database, "writer")
    share(shelf, access="write")
    with pytest.raises(NotFound):
        shelf.knowledge.add_file(writer, shelf.base, "a.txt", _EndsTheShare(shelf))
    assert shelf.leftovers() == {}


def test_names_of_nobody_are_kept_like_any_other(either_shelf: Shelf) -> None:
    shelf = either_shelf
    li = add_user(shelf.database, "Li Na")
    people = named(("Li Na", "read"), ("Nobody", "read"))
    assert share(shelf, shared_with=people)["shared_with"] == people
    nobody = add_user(shelf.database, "Nobody")  # a name stands for who has it when it is added
    share(shelf, shared_with=named(("Li Na", "write"), ("Nobody", "write")))
    assert (seen(shelf, li), seen(shelf, nobody)) == ([shelf.base], [])
    share(shelf, shared_with=[])
    assert (seen(shelf, li), seen(shelf, nobody)) == ([], [])
    shown = share(shelf, shared_with=named(("Nobody", "read"), ("li  na", "read")))
    assert [one["name"] for one in shown["shared_with"]] == ["li na", "Nobody"]
    assert (seen(shelf, li), seen(shelf, nobody)) == ([shelf.base], [shelf.base])
    with pytest.raises(InvalidRequest):
        share(shelf, shared_with=named(("  ", "read")))


def test_a_deleted_person_is_not_told_from_one_who_never_was(either_shelf: Shelf) -> None:
    shelf = either_shelf
    li = add_user(shelf.database, "Li Na")
    people = named(("Li Na", "read"), ("Nobody", "read"))
    share(shelf, shared_with=people)
    shelf.knowledge.delete_all_of(li)
    Users(shelf.database).delete(li)
    assert shelf.knowledge.base(shelf.user, shelf.base)["shared_with"] == people
    again = add_user(shelf.database, "Li Na")
    assert seen(shelf, again) == []


def test_administrators_manage_shared_bases_and_do_not_see_private_ones(
    either_shelf: Shelf,
) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    admin = add_user(shelf.database, "boss")
    shelf.database.write(
        lambda t: t.execute(update(User).where(User.id == admin).values(role="admin")) and None
    )
    assert seen(shelf, admin) == []
    with pytest.raises(NotFound):
        share(shelf, by=admin, access="read")
    share(shelf, shared_with=named(("Nobody", "read")))
    assert knowledge.base(admin, shelf.base)["may"] == "manage"
    assert share(shelf, by=admin, name="Rules")["name"] == "Rules"
    ended = share(shelf, by=admin, shared_with=[])  # private again: seen for the last time
    assert (ended["shared_with"], ended["own"]) == ([], False)
    assert seen(shelf, admin) == [] and seen(shelf, shelf.user) == [shelf.base]


def test_nobody_sees_a_shared_base_that_is_deleted(either_shelf: Shelf) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    li = add_user(shelf.database, "Li Na")
    shelf.add("leave.md", CODE)
    share(shelf, access="write", shared_with=named(("Li Na", "write")))
    knowledge.delete(shelf.user, shelf.base)
    assert seen(shelf, li) == []
    with pytest.raises(NotFound):
        knowledge.select_bases(li, [shelf.base])
    other = knowledge.create(shelf.user, "Other")["id"]
    share(shelf, other, access="read")
    assert seen(shelf, li) == [other]
    knowledge.delete_all_of(shelf.user)
    assert seen(shelf, li) == []


def test_the_bytes_of_others_are_no_duplicates(either_shelf: Shelf) -> None:
    shelf, knowledge = either_shelf, either_shelf.knowledge
    li = add_user(shelf.database, "Li Na")
    shelf.put("a.txt", "The leave of employees.")
    mine = knowledge.create(li, "Mine")["id"]
    row = knowledge.add_file(li, mine, "b.txt", BytesIO(b"The leave of employees."))
    assert (row["duplicate"], row["status"], row["name"]) == (False, "queued", "b.txt")
