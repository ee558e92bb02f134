"""Settings: every environment variable with its default, and the only reader of `os.environ`.

Find a setting, and so every limit that can be configured, in `Settings` below. Values come from the
environment, else from the file `.env`; all faults are reported at once.
"""

import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TypeVar

from dotenv.parser import parse_stream

from chatapp.addresses import (
    LOOPBACK,
    Network,
    PublicURL,
    Reachable,
    parse_networks,
    parse_public_url,
    parse_reachable,
)
from chatapp.core.pasted import pasted_address, pasted_key
from chatapp.i18n import say

MB = 1024 * 1024
# values of CHATAPP_EMBEDDER and CHATAPP_RERANKER that are not a model's name
BUILTIN, OFF = "builtin", "off"

MIN_PASSWORD_CHARACTERS = 8
MIN_TOKEN_CHARACTERS = 16
SWITCH_VALUES = dict.fromkeys(("1", "true", "on", "yes"), True) | dict.fromkeys(
    ("0", "false", "off", "no"), False
)
PROXY_VARIABLES = tuple(
    spelling
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
    for spelling in (name, name.lower())
)


class SettingsError(Exception):
    """Invalid variables: a line for each, in the terminal's language."""


# Parsers: text to value. They raise ValueError, or KeyError, for what is invalid.


def _text(value: str) -> str:
    return value.strip()


def _non_negative(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def _at_least_one(value: str) -> int:
    return max(1, _non_negative(value))


def _percent(value: str, least: int = 0) -> int:
    if not least <= int(value) <= 100:
        raise ValueError
    return int(value)


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _file(value: str) -> str:
    if not _path(value).is_file():
        raise ValueError
    return str(_path(value))


def _switch(value: str) -> bool:
    return SWITCH_VALUES[value.strip().lower()]


def _one_of(value: str, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError
    return value


def _log_level(value: str) -> str:
    if value.lower() not in ("auto", "debug", "info", "warning", "error"):
        raise ValueError
    return value.lower()


def _bind(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 65536):
        raise ValueError
    return value


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _origins(value: str) -> tuple[str, ...]:
    origins = _names(value)
    if not all(re.fullmatch(r"https?://[^/\s*]+", origin) for origin in origins):
        raise ValueError
    return origins


_share = partial(_percent, least=5)
_splitting = partial(_one_of, names=("size", "meaning"))
_auth = partial(_one_of, names=("accounts", "off"))
_url = partial(pasted_address, is_api=False)
_server_url = partial(pasted_address, default_scheme="http", is_api=False)


def _chroma_url(value: str) -> str:
    return re.sub(r"/api(/v\d+.*)?$", "", _server_url(value))


def _database_url(value: str) -> str:
    if not re.match(r"(sqlite|postgresql\+psycopg)://", value):
        raise ValueError
    return value


def _password(value: str) -> str:
    if len(value) < MIN_PASSWORD_CHARACTERS:
        raise ValueError
    return value


def _token(value: str) -> str:
    if len(value) < MIN_TOKEN_CHARACTERS or not value.isascii() or any(map(str.isspace, value)):
        raise ValueError
    return value


T = TypeVar("T")


def _setting(
    name: str, default: T, parse: Callable[[str], T], expects: str, secret: bool = False
) -> T:
    """Declare a setting: its variable, default, parser and the catalogue key of what it expects."""
    metadata = {"name": name, "parse": parse, "expects": expects}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default. `.env.example` documents them; a test compares the two."""

    # The service
    home: Path = _setting("CHATAPP_HOME", Path("instance").absolute(), _path, "setting.folder")
    helpers: bool = _setting("CHATAPP_HELPERS", True, _switch, "setting.switch")
    bind: str = _setting("CHATAPP_BIND", "127.0.0.1:8000", _bind, "setting.address")
    workers: int = _setting("WEB_CONCURRENCY", 1, _at_least_one, "setting.at_least_one")
    auth: str = _setting("CHATAPP_AUTH", "accounts", _auth, "setting.auth")
    admin_password: str = _setting(
        "CHATAPP_ADMIN_PASSWORD", "", _password, "setting.password", True
    )
    token: str = _setting("CHATAPP_TOKEN", "", _token, "setting.token", True)
    public_url: PublicURL | None = _setting(
        "CHATAPP_PUBLIC_URL", None, parse_public_url, "setting.public_url"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "CHATAPP_TRUSTED_PROXIES", LOOPBACK, parse_networks, "setting.networks"
    )
    url: str = _setting("CHATAPP_URL", "", _url, "setting.url")
    database_url: str = _setting("DATABASE_URL", "", _database_url, "setting.database", True)
    origins: tuple[str, ...] = _setting("CHATAPP_ORIGINS", (), _origins, "setting.origins")
    log_level: str = _setting("CHATAPP_LOG_LEVEL", "auto", _log_level, "setting.level")

    # Models
    openai_api_key: str = _setting("OPENAI_API_KEY", "", pasted_key, "setting.text", True)
    openai_base_url: str = _setting("OPENAI_BASE_URL", "", pasted_address, "setting.url")
    openai_models: tuple[str, ...] = _setting("OPENAI_MODELS", (), _names, "setting.text")
    proxy: str = _setting("CHATAPP_PROXY", "", _server_url, "setting.url", True)
    ca_file: str = _setting("CHATAPP_CA_FILE", "", _file, "setting.file")
    connect_seconds: int = _setting("CHATAPP_CONNECT_SECONDS", 10, _non_negative, "setting.seconds")
    first_token_seconds: int = _setting(
        "CHATAPP_FIRST_TOKEN_SECONDS", 300, _non_negative, "setting.seconds"
    )
    idle_seconds: int = _setting("CHATAPP_IDLE_SECONDS", 60, _non_negative, "setting.seconds")
    answer_seconds: int = _setting("CHATAPP_ANSWER_SECONDS", 1800, _non_negative, "setting.seconds")
    context_tokens: int = _setting("CHATAPP_CONTEXT_TOKENS", 8192, _non_negative, "setting.number")
    rewrite: bool = _setting("CHATAPP_REWRITE", True, _switch, "setting.switch")

    # Documents
    chroma_url: str = _setting("CHROMA_URL", "", _chroma_url, "setting.url")
    embedder: str = _setting("CHATAPP_EMBEDDER", BUILTIN, _text, "setting.text")
    embedder_url: str = _setting("CHATAPP_EMBEDDER_URL", "", pasted_address, "setting.url")
    embedder_key: str = _setting("CHATAPP_EMBEDDER_KEY", "", pasted_key, "setting.text", True)
    query_prefix: str = _setting("CHATAPP_EMBEDDER_QUERY_PREFIX", "", str, "setting.text")
    passage_prefix: str = _setting("CHATAPP_EMBEDDER_PASSAGE_PREFIX", "", str, "setting.text")
    embedder_share: int | None = _setting(
        "CHATAPP_EMBEDDER_SHARE", None, _percent, "setting.percent"
    )
    reranker: str = _setting("CHATAPP_RERANKER", OFF, _text, "setting.text")
    reranker_url: str = _setting("CHATAPP_RERANKER_URL", "", pasted_address, "setting.url")
    reranker_key: str = _setting("CHATAPP_RERANKER_KEY", "", pasted_key, "setting.text", True)
    fetch_allow: Reachable = _setting(
        "CHATAPP_FETCH_ALLOW", Reachable(), parse_reachable, "setting.reachable"
    )
    ocr: bool = _setting("CHATAPP_OCR", True, _switch, "setting.switch")
    ocr_cpu: int = _setting("CHATAPP_OCR_CPU", 100, _share, "setting.share")
    splitting: str = _setting("CHATAPP_SPLITTING", "size", _splitting, "setting.splitting")

    # Limits
    max_streams: int = _setting("CHATAPP_MAX_STREAMS", 2000, _non_negative, "setting.number")
    reader_seconds: int = _setting("CHATAPP_READER_SECONDS", 30, _non_negative, "setting.seconds")
    body_seconds: int = _setting("CHATAPP_BODY_SECONDS", 20, _at_least_one, "setting.seconds")
    answers_per_user: int = _setting(
        "CHATAPP_ANSWERS_PER_USER", 4, _non_negative, "setting.unlimited"
    )
    answer_bytes: int = _setting("CHATAPP_ANSWER_BYTES", MB, _non_negative, "setting.bytes")
    upload_bytes: int = _setting("CHATAPP_UPLOAD_BYTES", 200 * MB, _non_negative, "setting.bytes")
    parse_seconds: int = _setting("CHATAPP_PARSE_SECONDS", 300, _non_negative, "setting.seconds")
    parse_bytes: int = _setting("CHATAPP_PARSE_BYTES", 1024 * MB, _non_negative, "setting.bytes")
    image_bytes: int = _setting("CHATAPP_IMAGE_BYTES", 20 * MB, _non_negative, "setting.bytes")
    image_pixels: int = _setting("CHATAPP_IMAGE_PIXELS", 10**8, _non_negative, "setting.number")
    data_url_bytes: int = _setting("CHATAPP_DATA_URL_BYTES", 8 * MB, _non_negative, "setting.bytes")
    page_cache_bytes: int = _setting(
        "CHATAPP_PAGE_CACHE_BYTES", 500 * MB, _non_negative, "setting.bytes"
    )
    file_pages: int = _setting("CHATAPP_FILE_PAGES", 5000, _non_negative, "setting.number")

    @property
    def sql_url(self) -> str:
        """The database's URL: SQLite in the home folder unless DATABASE_URL is set."""
        return self.database_url or f"sqlite:///{self.home / 'chatapp.db'}"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, None for another database."""
        if not self.sql_url.startswith("sqlite"):
            return None
        return Path(self.sql_url.removeprefix("sqlite:///"))

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, changes: Mapping[str, str] | None = None
    ) -> "Settings":
        """Read and check all variables.

        Without `environ`, read this process's environment and `.env`; `changes` take precedence
        over these. Raises one SettingsError that names every fault.
        """
        file = _read_env_file() if environ is None else EnvFile()
        environ = {**file.values, **os.environ} if environ is None else environ
        environ = {**environ, **(changes or {})}
        values: dict[str, object] = {}
        faults = list(file.faults)
        for setting in fields(cls):
            name: str = setting.metadata["name"]
            raw = environ.get(name, "")
            if not raw.strip():
                continue
            try:
                values[setting.name] = setting.metadata["parse"](raw)
            except (ValueError, KeyError, RuntimeError):  # RuntimeError: `~` of an unknown user
                faults.append(_say(setting.metadata["expects"], name=name) + file.place(name, raw))
                values[setting.name] = setting.default
        settings = cls(**values)  # type: ignore[arg-type]
        if settings.embedder not in (BUILTIN, OFF) and "embedder_url" not in values:
            faults.append(_say("setting.embedder_url"))
        if settings.reranker != OFF and "reranker_url" not in values:
            faults.append(_say("setting.reranker_url"))
        if faults:
            raise SettingsError("\n".join(faults))
        return settings


# The file `.env`


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A settings file: values by name, the line of each, and sentences about invalid lines."""

    path: Path = Path(".env")
    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def place(self, name: str, value: str) -> str:
        """Return ` (file:line)` of a value that came from this file, else nothing."""
        if self.values.get(name) != value:
            return ""
        return f" ({self.path}:{self.lines[name]})"


def _read_env_file() -> EnvFile:
    """Read `.env`, or the file named by CHATAPP_ENV_FILE.

    The syntax is python-dotenv's without interpolation: `$` is an ordinary character. Docker
    Compose interpolates unquoted and double-quoted values, so `.env.example` asks for single
    quotes around a `$`. A name without `=` sets nothing, as in Compose.
    """
    path = Path(os.environ.get("CHATAPP_ENV_FILE", ".env"))
    try:
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except (OSError, ValueError):
        return EnvFile(faults=(_say("setting.env_file", file=path.absolute()),))
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        skipped = binding.original.string.lstrip()
        line = binding.original.line + binding.original.string.removesuffix(skipped).count("\n")
        if binding.error:
            faults.append(_say("setting.env_line", file=path.absolute(), line=line))
        elif binding.key and binding.value is not None:
            values[binding.key], lines[binding.key] = binding.value, line
    return EnvFile(path, values, lines, tuple(faults))


def bind_is_set() -> bool:
    """Return whether CHATAPP_BIND is set."""
    return bool({**_read_env_file().values, **os.environ}.get("CHATAPP_BIND", "").strip())


def terminal_language() -> str:
    """Return the language of this terminal."""
    tag = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh-CN" if tag.lower().startswith("zh") else "en"


def _say(key: str, **params: object) -> str:
    return say(terminal_language(), f"cli.{key}", params)


def proxy_variables() -> tuple[str, ...]:
    """Return the usual proxy variables that are set. They are ignored (see CHATAPP_PROXY)."""
    return tuple(name for name in PROXY_VARIABLES if os.environ.get(name))


def ssh_server() -> tuple[str, int] | None:
    """Return the address and port by which an SSH client reached this machine, None without SSH."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return (parts[2], int(parts[3])) if len(parts) == 4 and parts[3].isdigit() else None
