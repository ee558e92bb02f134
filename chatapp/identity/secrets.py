"""The installation's key, which encrypts suppliers' keys: one for all hosts of a database.

It is CHATAPP_SECRET_KEY, else the file `secret.key` of the home (0600, created by the first start).
The database keeps its fingerprint (host_key.py).
"""

import hashlib
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from chatapp.settings import Settings

VARIABLE = "CHATAPP_SECRET_KEY"
FINGERPRINT_OF = b"chatapp secret key "  # not the hash of a key alone
FINGERPRINT_CHARACTERS = 32


class SecretDamaged(Exception):
    """The file is not a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


class Secret:
    """Authenticated encryption of short texts (Fernet); raise ValueError for what is no key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)
        hashed = hashlib.sha256(FINGERPRINT_OF + key.strip()).hexdigest()
        self.fingerprint = hashed[:FINGERPRINT_CHARACTERS]

    @classmethod
    def of(cls, settings: Settings) -> "Secret":
        """Return this host's key, made if there is none; raise SecretDamaged."""
        found = cls.find(settings)
        if found is None:
            _make(key_file(settings))
            found = cls.find(settings)
            assert found is not None
        return found

    @classmethod
    def find(cls, settings: Settings) -> "Secret | None":
        """Return this host's key, None if there is none; raise SecretDamaged."""
        if settings.secret_key:
            return cls(settings.secret_key.encode())
        path = key_file(settings)
        try:  # nothing is written, so that the service starts on a full disk
            return cls(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as fault:
            raise SecretDamaged(path) from fault

    def encrypt(self, text: str) -> bytes:
        """Encrypt a text."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes, seconds: int | None = None) -> str:
        """Decrypt; return "" for what another key encrypted, or longer ago than `seconds`."""
        try:
            return self._fernet.decrypt(data, seconds).decode()
        except InvalidToken:
            return ""


def key_file(settings: Settings) -> Path:
    """Return the file that holds the key unless CHATAPP_SECRET_KEY is set."""
    return settings.home / "secret.key"


def replace_key_file(settings: Settings) -> Secret:
    """Write a new key over the file; return it."""
    path, key = key_file(settings), Fernet.generate_key()
    part = _written(path, key)
    os.replace(part, path)
    return Secret(key)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _written(path, Fernet.generate_key())
    try:
        # Linked only when complete: two workers that start at once must use one key.
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)


def _written(path: Path, key: bytes) -> Path:
    """Write a key to a file beside `path`, which is readable by its owner alone."""
    part = path.with_suffix(f".{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part
