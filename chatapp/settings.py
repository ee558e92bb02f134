"""What the environment says, read once and checked whole. The only reader of `os.environ`."""

import os
import re
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from chatapp.i18n import say

MB = 1024 * 1024
BUILTIN, OFF = "builtin", "off"  # what CHATAPP_EMBEDDER may be besides a model's name


class SettingsError(Exception):
    """One or more variables are wrong; the message names each on a line of its own, in the terminal's language."""


def _text(value: str) -> str:
    return value.strip()


def _whole(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def _at_least_one(value: str) -> int:
    return max(1, _whole(value))


def _percent(value: str) -> int:
    if not 0 <= int(value) <= 100:
        raise ValueError
    return int(value)


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _file(value: str) -> str:
    if not _path(value).is_file():
        raise ValueError
    return str(_path(value))


def _switch(value: str) -> bool:
    known = {
        "1": True,
        "true": True,
        "on": True,
        "yes": True,
        "0": False,
        "false": False,
        "off": False,
        "no": False,
    }
    return known[value.strip().lower()]


def _auth(value: str) -> str:
    if value not in ("accounts", "off"):
        raise ValueError
    return value


def _level(value: str) -> str:
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


def _url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if not re.match(r"(sqlite|postgresql\+psycopg)://", value):
        raise ValueError
    return value


def _password(value: str) -> str:
    if len(value) < 8:
        raise ValueError
    return value


def _token(value: str) -> str:
    if len(value) < 16 or not value.isascii() or any(c.isspace() for c in value):
        raise ValueError
    return value


def _env_file() -> dict[str, str]:
    """Read the NAME=value lines of `.env`, or of the file that CHATAPP_ENV_FILE names."""
    path = Path(os.environ.get("CHATAPP_ENV_FILE", ".env"))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
    except (OSError, ValueError):
        raise SettingsError(_say("setting.env_file", file=path.absolute())) from None
    pairs = (
        line.strip().removeprefix("export ").partition("=")
        for line in lines
        if not line.lstrip().startswith("#")
    )
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in pairs if equals}


def _environ() -> dict[str, str]:
    return {**_env_file(), **os.environ}


def bind_is_set() -> bool:
    """Tell whether CHATAPP_BIND says where the service listens, or its default does."""
    return bool(_environ().get("CHATAPP_BIND", "").strip())


def terminal_language() -> str:
    """Return the language of this terminal."""
    tag = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh-CN" if tag.lower().startswith("zh") else "en"


def _say(key: str, **params: object) -> str:
    return say(terminal_language(), f"cli.{key}", params)


def proxy_variables() -> tuple[str, ...]:
    """Return the usual variables for proxies that are set here; nothing of ours uses them (see CHATAPP_PROXY)."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    return tuple(name for name in names if os.environ.get(name))


def ssh_server() -> tuple[str, int] | None:
    """Return the address and port of this machine as an SSH client reached it, None where nobody did."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return (parts[2], int(parts[3])) if len(parts) == 4 and parts[3].isdigit() else None


T = TypeVar("T")


def _read(name: str, default: T, parse: Callable[[str], T], takes: str, secret: bool = False) -> T:
    """Describe one setting: its variable, default, parser, and the sentence that says what it takes."""
    return field(
        default=default, repr=not secret, metadata={"name": name, "parse": parse, "takes": takes}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default; `.env.example` documents them and a test compares the two."""

    home: Path = _read("CHATAPP_HOME", Path("instance").absolute(), _path, "setting.folder")
    bind: str = _read("CHATAPP_BIND", "127.0.0.1:8000", _bind, "setting.address")
    workers: int = _read("WEB_CONCURRENCY", 1, _at_least_one, "setting.at_least_one")
    auth: str = _read("CHATAPP_AUTH", "accounts", _auth, "setting.auth")
    database_url: str = _read("DATABASE_URL", "", _database_url, "setting.database", True)
    origins: tuple[str, ...] = _read("CHATAPP_ORIGINS", (), _origins, "setting.origins")
    proxy: str = _read("CHATAPP_PROXY", "", _url, "setting.url", True)
    ca_file: str = _read("CHATAPP_CA_FILE", "", _file, "setting.file")
    admin_password: str = _read("CHATAPP_ADMIN_PASSWORD", "", _password, "setting.password", True)
    url: str = _read("CHATAPP_URL", "", _url, "setting.url")
    token: str = _read("CHATAPP_TOKEN", "", _token, "setting.token", True)
    openai_api_key: str = _read("OPENAI_API_KEY", "", _text, "setting.text", True)
    openai_base_url: str = _read("OPENAI_BASE_URL", "", _url, "setting.url")
    openai_models: tuple[str, ...] = _read("OPENAI_MODELS", (), _names, "setting.text")

    max_streams: int = _read("CHATAPP_MAX_STREAMS", 2000, _whole, "setting.number")
    reader_seconds: int = _read("CHATAPP_READER_SECONDS", 30, _whole, "setting.seconds")
    answers_per_user: int = _read("CHATAPP_ANSWERS_PER_USER", 4, _whole, "setting.unlimited")
    answer_bytes: int = _read("CHATAPP_ANSWER_BYTES", MB, _whole, "setting.bytes")
    connect_seconds: int = _read("CHATAPP_CONNECT_SECONDS", 10, _whole, "setting.seconds")
    first_token_seconds: int = _read("CHATAPP_FIRST_TOKEN_SECONDS", 300, _whole, "setting.seconds")
    idle_seconds: int = _read("CHATAPP_IDLE_SECONDS", 60, _whole, "setting.seconds")
    answer_seconds: int = _read("CHATAPP_ANSWER_SECONDS", 1800, _whole, "setting.seconds")
    context_tokens: int = _read("CHATAPP_CONTEXT_TOKENS", 8192, _whole, "setting.number")
    rewrite: bool = _read("CHATAPP_REWRITE", True, _switch, "setting.switch")
    upload_bytes: int = _read("CHATAPP_UPLOAD_BYTES", 200 * MB, _whole, "setting.bytes")
    parse_seconds: int = _read("CHATAPP_PARSE_SECONDS", 300, _whole, "setting.seconds")
    parse_bytes: int = _read("CHATAPP_PARSE_BYTES", 1024 * MB, _whole, "setting.bytes")
    file_pages: int = _read("CHATAPP_FILE_PAGES", 5000, _whole, "setting.number")
    chroma_url: str = _read("CHROMA_URL", "", _url, "setting.url")
    embedder: str = _read("CHATAPP_EMBEDDER", BUILTIN, _text, "setting.text")
    embedder_url: str = _read("CHATAPP_EMBEDDER_URL", "", _url, "setting.url")
    embedder_key: str = _read("CHATAPP_EMBEDDER_KEY", "", _text, "setting.text", True)
    query_prefix: str = _read("CHATAPP_EMBEDDER_QUERY_PREFIX", "", str, "setting.text")
    passage_prefix: str = _read("CHATAPP_EMBEDDER_PASSAGE_PREFIX", "", str, "setting.text")
    embedder_share: int = _read("CHATAPP_EMBEDDER_SHARE", 50, _percent, "setting.percent")
    log_level: str = _read("CHATAPP_LOG_LEVEL", "auto", _level, "setting.level")

    @property
    def sql_url(self) -> str:
        """The database's URL, SQLite in the home folder where none is set."""
        return self.database_url or f"sqlite:///{self.home / 'chatapp.db'}"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, None where the database is another."""
        return (
            Path(self.sql_url.removeprefix("sqlite:///"))
            if self.sql_url.startswith("sqlite")
            else None
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read all variables, and raise one SettingsError that names every faulty one."""
        environ = _environ() if environ is None else environ
        values: dict[str, object] = {}
        faults: list[str] = []
        for setting in fields(cls):
            raw = environ.get(setting.metadata["name"], "")
            if not raw.strip():
                continue
            try:
                values[setting.name] = setting.metadata["parse"](raw)
            except (
                ValueError,
                KeyError,
                RuntimeError,
            ):  # the last: the home folder of somebody who has none
                faults.append(_say(setting.metadata["takes"], name=setting.metadata["name"]))
        settings = cls(**values)  # type: ignore[arg-type]
        if (
            settings.embedder not in (BUILTIN, OFF)
            and not settings.embedder_url
            and "embedder_url" not in values
        ):
            faults.append(_say("setting.embedder_url"))
        if faults:
            raise SettingsError("\n".join(faults))
        return settings


FILES_A_STREAM = 2  # the reader's connection and the model's
OTHER_FILES = 256  # databases, logs, pipes, libraries, and what is asked beside the streams
OTHER_REQUESTS = 200  # pages, uploads and API calls beside the streams


def raise_file_limit(streams: int) -> None:
    """Raise this process's limit of open files to what so many streams need, as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (streams + OTHER_REQUESTS) * FILES_A_STREAM + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def streams_allowed(streams: int) -> int:
    """Return how many of so many streams the limit of open files has room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return streams
    return min(streams, (soft - _other_files(soft)) // FILES_A_STREAM)


def other_requests_allowed(streams: int) -> int:
    """Return how many connections beside so many streams it has room for: half of the files that are left."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OTHER_REQUESTS
    return min(OTHER_REQUESTS, (soft - streams_allowed(streams) * FILES_A_STREAM) // 2)


def _other_files(soft: int) -> int:
    return min(OTHER_FILES, soft // 2)
