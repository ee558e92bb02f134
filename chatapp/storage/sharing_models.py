"""Tables of shared knowledge bases. See `models.py`."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import Model


class BaseShare(Model):
    """Who besides its owner may use a knowledge base: a person, or everybody under an empty name.

    `name` is what the owner wrote. `user_id` is the person who had this name then, None where there
    was nobody; it is never shown, so that a share does not tell whether there is such a person.
    """

    __tablename__ = "base_shares"
    base: Mapped[int] = mapped_column(
        ForeignKey("knowledge_bases.number", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    may_write: Mapped[bool]
