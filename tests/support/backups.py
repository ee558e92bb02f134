"""A home with data for tests of backups, and the commands on it."""

import hashlib
import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from chatapp.backups.create import Backup, make_backup
from chatapp.identity.secrets import Secret
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.image_models import Image
from chatapp.storage.models import File, KnowledgeBase, User
from tests.support.terminal import start

VERSION = "0-test"


def fill(settings: Settings, originals: int = 3, size: int = 3000) -> list[Path]:
    """Store documents, a picture and the secret of a user; return the files, the picture last."""
    Secret.of(settings)
    contents = [f"document {n} ".encode() * (size // 10 + n) for n in range(originals)]
    paths = [original(settings, content) for content in contents]
    picture = str(uuid.uuid4())
    paths.append(settings.home / "images" / picture[:2] / picture)
    paths[-1].parent.mkdir(parents=True)
    paths[-1].write_bytes(b"a picture")
    database = open_database(settings.sql_url)

    def store(t: Session) -> None:
        user = User(id=str(uuid.uuid4()), name="Ada")
        base = KnowledgeBase(id=str(uuid.uuid4()), user_id=user.id, name="Rules", indexed=7)
        t.add(user)
        t.flush()
        t.add(base)
        t.flush()
        for n, content in enumerate(contents):
            digest = hashlib.sha256(content).hexdigest()
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            about = {"name": f"{n}.txt", "size": len(content), "media_type": "text/plain"}
            t.add(File(knowledge_base_id=base.id, sha256=digest, md5=md5, status="ready", **about))
        about = {"media_type": "image/png", "width": 1, "height": 1, "size": 9, "used": True}
        t.add(Image(id=picture, user_id=user.id, **about))

    database.write(store)
    database.close()
    return paths


def original(settings: Settings, content: bytes) -> Path:
    """Write a file where originals are; no row names it yet."""
    digest = hashlib.sha256(content).hexdigest()
    path = settings.home / "originals" / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def backup_of(settings: Settings, folder: Path, keep: int | None = None) -> Backup:
    """Make a backup in this process."""
    return make_backup(settings, folder, VERSION, keep)


def commanded(home: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, as an operator would."""
    env = {"CHATAPP_HOME": str(home), "CHATAPP_ENV_FILE": os.devnull, "PATH": os.environ["PATH"]}
    process = start({**env, "LC_ALL": "C.UTF-8", **variables}, *words)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def findings(home: Path, **variables: str) -> dict[str, str]:
    """Return what `doctor` finds: the state of each check."""
    done = commanded(home, "doctor", "--json", **variables)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return {row["check"]: row["state"] for row in rows}
