"""A home as it is after years: people, chats, messages, files and chunks, by SQL and from a seed.

Nothing is asked, read or embedded, so that it takes minutes; the index of words is that of the
product. The texts of passages are in the rows of answers, as before `chatapp/storage/passages.py`.
The first person has written a tenth of everything, all others the same.
"""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from typing import Any

from sqlalchemy import Connection, insert, text
from sqlalchemy.orm import Session as Transaction

from chatapp.core.search_words import words_of
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.message_index import INDEX, OWNER_CHARACTERS
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Chunk, File, KnowledgeBase, Message, Session, User, now
from chatapp.storage.text_models import FileText

SENTENCES = 400  # that messages and chunks are made of
RARE_CHATS = 200  # one chat in so many has the rare word
FILE_CHUNKS = 10
WRITTEN_CHATS = 500  # in one transaction
SEED = 16
COMMON, RARE, COMMON_HAN = "leave", "zeppelin", "员工"
PASSAGES, PASSAGE_SENTENCES = 5, 12  # of an answer; of a passage


@dataclass(frozen=True, slots=True)
class Grown:
    """How much a home holds, and the share of the first person."""

    users: int = 200
    chats: int = 20_000
    messages: int = 200_000
    chunks: int = 200_000
    first_share: float = 0.1

    def parts(self, total: int) -> list[int]:
        """Return what of a total each person has."""
        first = total if self.users == 1 else round(total * self.first_share)
        rest, others = total - first, self.users - 1
        return [first, *(rest * (n + 1) // others - rest * n // others for n in range(others))]


def make_home(settings: Settings, size: Grown) -> None:
    """Make a home of this size in an empty folder."""
    migrate(settings)
    database = open_database(settings.sql_url)
    chance = random.Random(SEED)
    sentences = [_sentence(chance) for _ in range(SENTENCES)]
    words = [sorted(words_of(each)) for each in sentences]
    users = _people(chance, size.users)
    database.write(lambda t: t.execute(insert(User), users) and None)
    each = size.messages // max(size.chats, 1)
    made = _Passages(sentences, max(size.chunks, PASSAGES))
    chats = _chats(chance, users, size.parts(size.chats), each, made)
    while some := list(islice(chats, WRITTEN_CHATS)):
        database.write(partial(_add_chats, some=some, sentences=sentences, words=words))
    _add_files(database, chance, users, size, sentences)
    database.close()


def _sentence(chance: random.Random) -> str:
    words = ["".join(chance.choices("bdfgklmnprst", k=1) + ["a" * (n % 3), "o"]) for n in range(9)]
    made = [f"{word}{chance.choice('aeiou')}{chance.randrange(60)}" for word in words]
    han = "".join(chr(0x4E00 + chance.randrange(2000)) for _ in range(12))
    return f"{' '.join(made)} {COMMON}. {COMMON_HAN}{han}。"


def _people(chance: random.Random, users: int) -> list[dict[str, Any]]:
    return [
        {
            "id": _id(chance),
            "name": f"person{n}",
            "role": "admin" if n == 0 else "user",
            "disabled": False,
            "defaults": {},
            "created_at": now(),
        }
        for n in range(users)
    ]


@dataclass(frozen=True, slots=True)
class _Chat:
    session: dict[str, Any]
    messages: list[dict[str, Any]]
    sentences: list[list[int]]  # of each message


def _chats(
    chance: random.Random,
    users: Sequence[dict[str, Any]],
    parts: Sequence[int],
    each: int,
    passages: "_Passages",
) -> Iterator[_Chat]:
    """Yield all chats, those of all people in turn."""
    numbers, start = count(1), now() - timedelta(days=1000)
    for turn in range(max(parts)):
        for user, chats in zip(users, parts, strict=True):
            if turn < chats:
                moment = start + timedelta(minutes=next(numbers))
                yield _chat(chance, user["id"], moment, each, turn % RARE_CHATS == 7, passages)


@dataclass(frozen=True, slots=True)
class _Passages:
    """The passages that answers were given: as many as there are chunks, each by its number."""

    sentences: Sequence[str]
    count: int

    def some(self, chance: random.Random) -> list[dict[str, Any]]:
        """Return the sources of an answer."""
        numbers = chance.sample(range(self.count), PASSAGES)
        return [
            {"n": n, "name": "handbook.pdf", "page": 3, "text": self._text(number)}
            for n, number in enumerate(numbers, 1)
        ]

    def _text(self, number: int) -> str:
        # the number makes it another text
        start = number % len(self.sentences)
        picked = (*self.sentences, *self.sentences)[start : start + PASSAGE_SENTENCES]
        return f"{number}. {' '.join(picked)}"


def _chat(
    chance: random.Random, user_id: str, at: Any, each: int, rare: bool, passages: _Passages
) -> _Chat:
    session_id, ids = _id(chance), [_id(chance) for _ in range(each)]
    common = {"session_id": session_id, "user_id": user_id, "created_at": at}
    picked = [chance.sample(range(SENTENCES), 2 + 6 * (n % 2)) for n in range(each)]
    messages = [
        common
        | {
            "id": one,
            "parent_id": parent,
            "role": "assistant" if n % 2 else "user",
            "content": RARE if rare and n == 0 else "",
            "sources": passages.some(chance) if n % 2 else [],
        }
        for n, (one, parent) in enumerate(zip(ids, [None, *ids], strict=False))
    ]
    session = {
        "id": session_id,
        "user_id": user_id,
        "kind": "chat",
        "title": f"Chat {session_id[:8]}",
        "pinned": chance.random() < 0.01,
        "supplier": "builtin",
        "model": "extractive",
        "knowledge_base_ids": [],
        "knowledge_options": {},
        "leaf_id": ids[-1] if ids else None,
        "created_at": at,
        "updated_at": at,
    }
    return _Chat(session, messages, picked)


def _add_chats(
    t: Transaction, some: Sequence[_Chat], sentences: Sequence[str], words: Sequence[Sequence[str]]
) -> None:
    t.execute(insert(Session), [chat.session for chat in some])
    rows, found = [], []
    for chat in some:
        for message, picked in zip(chat.messages, chat.sentences, strict=True):
            rare = message["content"]
            content = " ".join([rare, *(sentences[n] for n in picked)]).strip()
            rows.append(message | {"content": content})
            owner = message["user_id"][:OWNER_CHARACTERS]
            held = {word for n in picked for word in words[n]} | ({rare} if rare else set())
            found.append({"id": message["id"], "words": " ".join(owner + each for each in held)})
    t.execute(insert(Message), rows)
    t.execute(
        text(
            f"INSERT INTO {INDEX} (rowid, words) SELECT number, :words FROM messages WHERE id = :id"
        ),
        found,
    )


def _add_files(
    database: Database,
    chance: random.Random,
    users: Sequence[dict[str, Any]],
    size: Grown,
    sentences: Sequence[str],
) -> None:
    """Give everybody a knowledge base with ready files, without an index of keywords."""
    for user, chunks in zip(users, size.parts(size.chunks), strict=True):
        base_id = _id(chance)
        base = {"id": base_id, "user_id": user["id"], "name": "Handbook", "chunks": chunks}
        files, texts, pieces = [], [], []
        for start in range(0, chunks, FILE_CHUNKS):
            key = _id(chance)
            name = key.replace("-", "")
            files.append(
                {"id": key, "knowledge_base_id": base_id, "name": f"{name}.txt", "size": 1}
                | {"md5": name, "sha256": 2 * name, "media_type": "text/plain", "status": "ready"}
            )
            parts = chance.sample(sentences, min(FILE_CHUNKS, chunks - start))
            texts.append({"file_id": key, "text": "\n\n".join(parts), "pages": []})
            pieces += [
                {"file_id": key, "ordinal": n, "start": 0, "end": len(part), "text": part}
                for n, part in enumerate(parts)
            ]
        adding = [(KnowledgeBase, [base]), (File, files), (FileText, texts), (Chunk, pieces)]
        database.write(partial(_add_rows, adding=adding))


def _add_rows(t: Transaction, adding: Sequence[tuple[Any, list[dict[str, Any]]]]) -> None:
    connection: Connection = t.connection()
    for model, rows in adding:
        if rows:
            connection.execute(insert(model), rows)


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
