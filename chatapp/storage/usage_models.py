"""The tables of use and limits: what each person has used a day, and may use. See `models.py`."""

from datetime import date

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import Model


class Usage(Model):
    """What a person's answers by one model have used on a day (UTC). Deleting chats keeps it."""

    __tablename__ = "usage"
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    supplier: Mapped[str] = mapped_column(String(80), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    questions: Mapped[int] = mapped_column(default=0)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    completion_tokens: Mapped[int] = mapped_column(BigInteger, default=0)


class PersonalLimits(Model):
    """The limits that an administrator has set for one person.

    None is the installation's default, 0 is no limit.
    """

    __tablename__ = "limits"
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    answers: Mapped[int | None]  # at once
    daily_tokens: Mapped[int | None] = mapped_column(BigInteger)
    storage_mb: Mapped[int | None]
