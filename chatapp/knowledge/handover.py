"""Passing knowledge bases from one user to another, with everything in them."""

from sqlalchemy import update

from chatapp.storage.database import Database
from chatapp.storage.models import KnowledgeBase


def pass_on(database: Database, giver: str, taker: str) -> None:
    """Give all bases of a user to another; their ids and contents stay as they are."""
    theirs = update(KnowledgeBase).where(KnowledgeBase.user_id == giver).values(user_id=taker)
    database.write_deletion(lambda t: t.execute(theirs) and None)
