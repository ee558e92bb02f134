"""The table of terms, which stands in for FTS5 on PostgreSQL. See `models.py`."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from chatapp.storage.models import Model


class Term(Model):
    """How many chunks of a base contain a token; for BM25 where there is no FTS5."""

    __tablename__ = "terms"
    base: Mapped[int] = mapped_column(
        ForeignKey("knowledge_bases.number", ondelete="CASCADE"), primary_key=True
    )
    term: Mapped[str] = mapped_column(String(120), primary_key=True)
    df: Mapped[int] = mapped_column(default=0)
