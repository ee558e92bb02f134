"""The installation's key (0600, created by the first start), which encrypts suppliers' keys."""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class Secret:
    """Authenticated encryption of short texts (Fernet)."""

    def __init__(self, home: Path) -> None:
        self._fernet = Fernet(_read_or_make(home / "secret.key"))

    def encrypt(self, text: str) -> bytes:
        """Encrypt a text."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """Decrypt; return "" for a text that another installation's key encrypted."""
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken:
            return ""


def _read_or_make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Linked only when complete: two workers that start at once must use one key.
        part = path.with_suffix(f".{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)
    return path.read_bytes()
