"""The tables: no logic, no session, no queries but those of computed columns.

Ids are UUIDs as text; times are UTC without zone, as every database here stores them; JSON columns
hold what the API shows. The lexical index (FTS5 on SQLite) is not a model: `knowledge/search/`
owns it, and Alembic ignores it.
"""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    null,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, registry

from chatapp.core.text import TOKENIZER
from chatapp.storage.json_object import json_object

ID = String(36)


class Base(DeclarativeBase):
    """The base of all models. Constraints have names, so that any database can alter them."""

    # Its own, as SQLAlchemy refuses a class that has `registry`, inherited, and other types.
    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(column_0_N_label)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={dict[str, Any]: JSON, list[Any]: JSON},
    )
    __table__: ClassVar[Table]  # so that `Message.__table__.c.id` has a type


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:  # db.Model has no type that mypy knows
    Model = Base
else:
    Model = db.Model


def new_id() -> str:
    """Return a new id, a UUID as text."""
    return str(uuid.uuid4())


def now() -> datetime:
    """Return the current time as it is stored: UTC, without zone."""
    return datetime.now(UTC).replace(tzinfo=None)


class User(Model):
    """A user account."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default="user")
    disabled: Mapped[bool] = mapped_column(default=False)
    defaults: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the set fields of Defaults
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime | None]  # a login or token of theirs was last used


class Token(Model):
    """The SHA-256 of a secret that authenticates a user: login, personal token, one-time link."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # login, personal, link, terminal, environment
    kind: Mapped[str] = mapped_column(String(16), index=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(80), default="")  # of a login: its browser
    address: Mapped[str] = mapped_column(String(64), default="", server_default="")  # of a login
    host: Mapped[str] = mapped_column(String(32), default="", server_default="")  # that made it
    scopes: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))  # null: no limit
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class Supplier(Model):
    """A supplier of models. The key is encrypted and bound to the base URL."""

    __tablename__ = "suppliers"
    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    preset: Mapped[str | None] = mapped_column(String(40))
    base_url: Mapped[str] = mapped_column(String(500))
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    models: Mapped[list[Any]] = mapped_column(default=list)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Session(Model):
    """A conversation: a tree of messages. Kind is chat, temporary or api."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16), default="chat")
    title: Mapped[str] = mapped_column(String(200), default="")
    pinned: Mapped[bool] = mapped_column(default=False)
    supplier: Mapped[str | None] = mapped_column(String(80))
    model: Mapped[str | None] = mapped_column(String(200))
    knowledge_base_ids: Mapped[list[Any]] = mapped_column(default=list)
    knowledge_options: Mapped[dict[str, Any]] = mapped_column(default=dict)  # md5s, search_k
    # The set fields of Defaults that this chat has of its own.
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    leaf_id: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (
        Index("ix_sessions_user_updated", "user_id", "kind", "updated_at"),
        # The order of the list (`LATEST_FIRST`): every page of it costs the same.
        Index("ix_sessions_listed", "user_id", "kind", "pinned", "updated_at", "id"),
        Index("ix_sessions_kind_updated", "kind", "updated_at"),  # of those that are deleted
    )


class Passage(Model):
    """The text of a passage that answers were given: once, however many (storage/passages.py)."""

    __tablename__ = "passages"
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    text: Mapped[str] = mapped_column(Text)


class MessagePassage(Model):
    """The text of the source at a place (from 0) of an answer."""

    __tablename__ = "message_passages"
    message_number: Mapped[int] = mapped_column(
        ForeignKey("messages.number", ondelete="CASCADE"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True)
    passage_id: Mapped[int] = mapped_column(ForeignKey("passages.id"), index=True)


class Message(Model):
    """A question or an answer. `shape` keeps the runs of an answer's log."""

    __tablename__ = "messages"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(ID, unique=True, default=new_id)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    parent_id: Mapped[str | None] = mapped_column(ID, index=True)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16), default="complete")
    client_message_id: Mapped[str | None] = mapped_column(String(80))
    knowledge: Mapped[str] = mapped_column(Text, default="")
    reasoning: Mapped[str] = mapped_column(Text, default="")
    sources: Mapped[list[Any]] = mapped_column(default=list)  # texts are in `passages`
    citations: Mapped[list[Any]] = mapped_column(default=list)
    usage: Mapped[dict[str, Any]] = mapped_column(default=dict)
    timings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    cut: Mapped[dict[str, Any]] = mapped_column(default=dict)
    supplier: Mapped[str | None] = mapped_column(String(80))
    model: Mapped[str | None] = mapped_column(String(200))
    finish_reason: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    shape: Mapped[list[Any]] = mapped_column(default=list)
    images: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))  # of a question
    tool_calls: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(default=now)
    # How an answer's passages were chosen (core/trace.py); not loaded with lists of messages.
    search: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    searched: Mapped[bool] = column_property(search.is_not(null()))
    passages: Mapped[dict[str, str] | None] = column_property(  # texts of `sources` by place
        select(json_object(MessagePassage.place, Passage.text))
        .where(MessagePassage.message_number == number, MessagePassage.passage_id == Passage.id)
        .scalar_subquery()
    )
    __table_args__ = (
        UniqueConstraint("user_id", "client_message_id"),
        # A session's roots; SQLite prefers it to the session's index for its second column.
        Index(
            "ix_messages_roots",
            "session_id",
            "parent_id",
            sqlite_where=parent_id.is_(None),
            postgresql_where=parent_id.is_(None),
        ),
    )


class Run(Model):
    """A live answer: owner, heartbeat, stop request. Deleted when the answer ends."""

    __tablename__ = "runs"
    message_id: Mapped[str] = mapped_column(
        ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True
    )
    session_id: Mapped[str] = mapped_column(ID, index=True)
    user_id: Mapped[str] = mapped_column(ID, index=True)
    owner: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    stop_requested: Mapped[bool] = mapped_column(default=False)
    heartbeat_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime] = mapped_column(default=now)


class Segment(Model):
    """Events of one flush, from position `start`; merged into the message at the end."""

    __tablename__ = "segments"
    message_id: Mapped[str] = mapped_column(
        ForeignKey("runs.message_id", ondelete="CASCADE"), primary_key=True
    )
    start: Mapped[int] = mapped_column(primary_key=True)
    events: Mapped[list[Any]]


class KnowledgeBase(Model):
    """Files that are searched together. `number` marks its tokens in the lexical index, which were
    made by version `tokenizer` of the tokenizer; it is never reused."""

    __tablename__ = "knowledge_bases"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(ID, unique=True, default=new_id)
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    bundled: Mapped[str | None] = mapped_column(String(80), unique=True)
    # How files read from now on are split: "size" or "meaning".
    splitting: Mapped[str] = mapped_column(String(16), default="size", server_default="size")
    # The embedder of its vectors, and the one that will replace them.
    fingerprint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    target: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    collection: Mapped[str | None] = mapped_column(String(80))  # its vectors in Chroma
    changed: Mapped[int] = mapped_column(default=0)  # incremented by each change of its vectors
    indexed: Mapped[int] = mapped_column(default=0)  # `changed` as Chroma has it; -1: unknown
    chunks: Mapped[int] = mapped_column(default=0)
    tokens: Mapped[int] = mapped_column(default=0)
    tokenizer: Mapped[int] = mapped_column(default=TOKENIZER, server_default="1")
    created_at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = ({"sqlite_autoincrement": True},)


class File(Model):
    """An uploaded document, and the job that reads it: status, lease, attempts, progress (0..1)."""

    __tablename__ = "files"
    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    knowledge_base_id: Mapped[str] = mapped_column(
        ForeignKey("knowledge_bases.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(300))
    md5: Mapped[str] = mapped_column(String(32))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    progress: Mapped[float] = mapped_column(default=0.0)
    pages: Mapped[int | None]
    chunks: Mapped[int] = mapped_column(default=0)
    # Parts that could not be read.
    skipped: Mapped[int] = mapped_column(default=0, server_default="0")
    # Those of them that are files of their own: pairs of name and reason.
    left_out: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    # Pages whose text only recognition can read, and how many of them it has done with.
    scanned: Mapped[int] = mapped_column(default=0, server_default="0")
    recognised: Mapped[int] = mapped_column(default=0, server_default="0")
    # How it was split, and why not as its base says (ingest/splitting.py).
    split: Mapped[str] = mapped_column(String(16), default="size", server_default="size")
    split_reason: Mapped[str | None] = mapped_column(String(16))
    # Chunks without a vector: the embedder does not read their script, or has refused them.
    words_only: Mapped[int] = mapped_column(default=0, server_default="0")
    # The fingerprint under which all other chunks have vectors.
    embedded: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    # Of a web page: its address, when it was last fetched, and the state of fetching it
    # (web_pages/rows.py).
    url: Mapped[str | None] = mapped_column(Text)
    fetched_at: Mapped[datetime | None]
    fetch: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # The file whose content this one will replace; it is shown nowhere.
    replaces: Mapped[str | None] = mapped_column(ID, index=True)
    __table_args__ = (
        UniqueConstraint("knowledge_base_id", "sha256"),
        Index("ix_files_md5", "md5"),
        Index("ix_files_sha256", "sha256"),
        Index("ix_files_listed", "knowledge_base_id", "created_at", "id"),
    )


class Chunk(Model):
    """A piece of a document; offsets count code points of the file's text."""

    __tablename__ = "chunks"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    file_id: Mapped[str] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    start: Mapped[int]
    end: Mapped[int]
    page: Mapped[int | None]
    heading: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text)
    # Ids are never reused: Chroma may still hold the vector of a deleted chunk.
    __table_args__ = (UniqueConstraint("file_id", "ordinal"), {"sqlite_autoincrement": True})


class Vector(Model):
    """A chunk's embedding under one fingerprint: little-endian float32."""

    __tablename__ = "vectors"
    chunk_id: Mapped[int] = mapped_column(
        ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True
    )
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
