"""The key of this installation: made on first start in the home folder (0600), used to encrypt suppliers' keys at rest."""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class Secret:
    """Encrypts short texts with authenticated encryption (Fernet)."""

    def __init__(self, home: Path) -> None:
        self._fernet = Fernet(_read_or_make(home / "secret.key"))

    def encrypt(self, text: str) -> bytes:
        """Encrypt a text."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """Decrypt; a text of another installation gives the empty text, as if no key had been kept."""
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken:
            return ""


def _read_or_make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Written whole under another name first: two workers that start at once must agree on one key.
        part = path.with_suffix(f".{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)
    return path.read_bytes()
