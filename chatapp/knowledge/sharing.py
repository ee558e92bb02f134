"""Sharing a base: what it is for everybody, and the people who are named.

Naming a person who does not exist is answered as naming one who does. A name stands for the person
who has it when it is added; whoever gets the name later must be added again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatapp.errors import InvalidRequest
from chatapp.knowledge.access import EVERYBODY, Found, May
from chatapp.storage.models import KnowledgeBase, User
from chatapp.storage.sharing_models import BaseShare

PRIVATE, READ, WRITE = "private", "read", "write"
MOST_PEOPLE = 200  # who are named for one base
SHARING = ("access", "shared_with")  # the fields of a base that this module changes


class NamedPerson(TypedDict):
    """A person whom a base is shared with; `access` is read or write."""

    name: str
    access: str


def shares_of(t: Session, numbers: Sequence[int]) -> dict[int, list[BaseShare]]:
    """Return the shares of bases, by the base's number."""
    found: dict[int, list[BaseShare]] = {number: [] for number in numbers}
    query = select(BaseShare).where(BaseShare.base.in_(numbers))
    for share in t.scalars(query) if numbers else ():
        found[share.base].append(share)
    return found


def sharing_json(user_id: str, found: Found, shares: Iterable[BaseShare]) -> dict[str, Any]:
    """Return whose a base is and what the user may do; to those who manage it, with whom it is
    shared."""
    named = {share.name: WRITE if share.may_write else READ for share in shares}
    of_all = named.pop(EVERYBODY, READ if found.base.bundled is not None else PRIVATE)
    people = [{"name": name, "access": named[name]} for name in sorted(named, key=str.casefold)]
    return {
        "owner": found.owner,
        "own": found.base.user_id == user_id,
        "may": found.may.name.lower(),
        "access": of_all,
        "shared_with": people if found.may is May.MANAGE else None,
    }


def change_sharing(t: Session, base: KnowledgeBase, values: Mapping[str, Any]) -> None:
    """Change what everybody may do (`access`), replace the list of people (`shared_with`)."""
    t.execute(select(KnowledgeBase.number).where(KnowledgeBase.id == base.id).with_for_update())
    rows = {share.name: share for share in shares_of(t, [base.number])[base.number]}
    wanted = {name: WRITE if row.may_write else READ for name, row in rows.items()}
    if (access := values.get("access")) is not None:
        wanted[EVERYBODY] = access
    if (people := values.get("shared_with")) is not None:
        of_all = wanted.pop(EVERYBODY, PRIVATE)
        wanted = {EVERYBODY: of_all, **_by_name(people, wanted)}
    if wanted.get(EVERYBODY) == PRIVATE:
        del wanted[EVERYBODY]
    for name in rows.keys() - wanted.keys():
        t.delete(rows[name])
    for name, access in wanted.items():
        if (row := rows.get(name)) is None:
            row = BaseShare(base=base.number, name=name, user_id=_person(t, name))
            t.add(row)
        row.may_write = access == WRITE
    t.flush()


def _by_name(people: Iterable[NamedPerson], before: Iterable[str]) -> dict[str, str]:
    """Return the access of each name; one that is written otherwise than before is the same."""
    spelt = {name.casefold(): name for name in before}
    wanted: dict[str, str] = {}
    for person in people:
        name = " ".join(person["name"].split())
        if not name:
            raise InvalidRequest("shared_with", "blank")
        wanted[spelt.setdefault(name.casefold(), name)] = person["access"]
    return wanted


def _person(t: Session, name: str) -> str | None:
    """Return the id of the person with this name, None for nobody and for everybody."""
    if name == EVERYBODY:
        return None
    same = or_(User.name == name, func.lower(User.name) == name.lower())
    return t.scalars(select(User.id).where(same).order_by(User.name != name)).first()
