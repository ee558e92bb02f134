"""Settings: every environment variable with its default, and the only reader of `os.environ`.

Find a setting, and so every limit that can be configured, in `Settings` below. Values come from the
environment, else from the file `.env`; all faults are reported at once.
"""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from dotenv.parser import parse_stream

from chatapp import setting_types as types
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

# variables of ours that are no settings of the service
OTHER_VARIABLES = ("CHATAPP_ENV_FILE", "CHATAPP_PARENT", "CHATAPP_SUPPLIER_KEY")
PREFIX, LEAST_SIMILARITY = "CHATAPP_", 0.7  # of misspelt names
PROXY_VARIABLES = tuple(
    name for upper in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") for name in (upper, upper.lower())
)


class SettingsError(Exception):
    """Invalid variables: a line for each, in the terminal's language."""


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
    home: Path = _setting("CHATAPP_HOME", Path("instance").absolute(), types.path, "setting.folder")
    files: Path | None = _setting("CHATAPP_FILES", None, types.folder, "setting.shared_folder")
    secret_key: str = _setting(
        "CHATAPP_SECRET_KEY", "", types.secret_key, "setting.secret_key", True
    )
    helpers: tuple[str, ...] = _setting(
        "CHATAPP_HELPERS", types.HELPERS, types.helpers, "setting.helpers"
    )
    bind: str = _setting("CHATAPP_BIND", "127.0.0.1:8000", types.bind, "setting.address")
    workers: int = _setting("WEB_CONCURRENCY", 1, types.at_least_one, "setting.at_least_one")
    auth: str = _setting("CHATAPP_AUTH", "accounts", types.auth, "setting.auth")
    admin_password: str = _setting(
        "CHATAPP_ADMIN_PASSWORD", "", types.password, "setting.password", True
    )
    token: str = _setting("CHATAPP_TOKEN", "", types.token, "setting.token", True)
    public_url: PublicURL | None = _setting(
        "CHATAPP_PUBLIC_URL", None, parse_public_url, "setting.public_url"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "CHATAPP_TRUSTED_PROXIES", LOOPBACK, parse_networks, "setting.networks"
    )
    url: str = _setting("CHATAPP_URL", "", types.url, "setting.url")
    database_url: str = _setting("DATABASE_URL", "", types.database_url, "setting.database", True)
    database_connections: int = _setting(
        "CHATAPP_DATABASE_CONNECTIONS", 10, types.connections, "setting.connections"
    )
    origins: tuple[str, ...] = _setting("CHATAPP_ORIGINS", (), types.origins, "setting.origins")
    oidc_issuer: str = _setting("CHATAPP_OIDC_ISSUER", "", types.issuer, "setting.issuer")
    oidc_client_id: str = _setting("CHATAPP_OIDC_CLIENT_ID", "", types.text, "setting.text")
    oidc_client_secret: str = _setting(
        "CHATAPP_OIDC_CLIENT_SECRET", "", types.text, "setting.text", True
    )
    oidc_name: str = _setting("CHATAPP_OIDC_NAME", "", types.text, "setting.text")
    oidc_scopes: str = _setting(
        "CHATAPP_OIDC_SCOPES", "openid profile email", types.text, "setting.text"
    )
    oidc_allow: tuple[str, ...] = _setting("CHATAPP_OIDC_ALLOW", (), types.people, "setting.people")
    oidc_admins: tuple[str, ...] = _setting(
        "CHATAPP_OIDC_ADMINS", (), types.people, "setting.people"
    )
    auth_header: str = _setting("CHATAPP_AUTH_HEADER", "", types.header_name, "setting.header")
    auth_header_create: bool = _setting(
        "CHATAPP_AUTH_HEADER_CREATE", False, types.switch, "setting.switch"
    )
    log_level: str = _setting("CHATAPP_LOG_LEVEL", "auto", types.log_level, "setting.level")
    log_format: str = _setting("CHATAPP_LOG_FORMAT", "text", types.log_format, "setting.log_format")
    access_log: bool = _setting("CHATAPP_ACCESS_LOG", False, types.switch, "setting.switch")
    slow_statement_ms: int = _setting(
        "CHATAPP_SLOW_STATEMENT_MS", 0, types.non_negative, "setting.number"
    )
    metrics_token: str = _setting("CHATAPP_METRICS_TOKEN", "", types.token, "setting.token", True)

    # Models
    openai_api_key: str = _setting("OPENAI_API_KEY", "", pasted_key, "setting.text", True)
    openai_base_url: str = _setting("OPENAI_BASE_URL", "", pasted_address, "setting.url")
    openai_models: tuple[str, ...] = _setting("OPENAI_MODELS", (), types.names, "setting.text")
    proxy: str = _setting("CHATAPP_PROXY", "", types.server_url, "setting.url", True)
    ca_file: str = _setting("CHATAPP_CA_FILE", "", types.file, "setting.file")
    connect_seconds: int = _setting(
        "CHATAPP_CONNECT_SECONDS", 10, types.non_negative, "setting.seconds"
    )
    first_token_seconds: int = _setting(
        "CHATAPP_FIRST_TOKEN_SECONDS", 300, types.non_negative, "setting.seconds"
    )
    idle_seconds: int = _setting("CHATAPP_IDLE_SECONDS", 60, types.non_negative, "setting.seconds")
    answer_seconds: int = _setting(
        "CHATAPP_ANSWER_SECONDS", 1800, types.non_negative, "setting.seconds"
    )
    context_tokens: int = _setting(
        "CHATAPP_CONTEXT_TOKENS", 8192, types.non_negative, "setting.number"
    )
    rewrite: bool = _setting("CHATAPP_REWRITE", True, types.switch, "setting.switch")

    # Documents
    chroma_url: str = _setting("CHROMA_URL", "", types.chroma_url, "setting.url")
    chroma_token: str = _setting("CHROMA_TOKEN", "", pasted_key, "setting.text", True)
    chroma_tenant: str = _setting("CHROMA_TENANT", "", types.chroma_name, "setting.chroma_name")
    chroma_database: str = _setting("CHROMA_DATABASE", "", types.chroma_name, "setting.chroma_name")
    embedder: str = _setting("CHATAPP_EMBEDDER", BUILTIN, types.text, "setting.text")
    embedder_url: str = _setting("CHATAPP_EMBEDDER_URL", "", pasted_address, "setting.url")
    embedder_key: str = _setting("CHATAPP_EMBEDDER_KEY", "", pasted_key, "setting.text", True)
    query_prefix: str = _setting("CHATAPP_EMBEDDER_QUERY_PREFIX", "", str, "setting.text")
    passage_prefix: str = _setting("CHATAPP_EMBEDDER_PASSAGE_PREFIX", "", str, "setting.text")
    embedder_share: int | None = _setting(
        "CHATAPP_EMBEDDER_SHARE", None, types.percent, "setting.percent"
    )
    reranker: str = _setting("CHATAPP_RERANKER", OFF, types.text, "setting.text")
    reranker_url: str = _setting("CHATAPP_RERANKER_URL", "", pasted_address, "setting.url")
    reranker_key: str = _setting("CHATAPP_RERANKER_KEY", "", pasted_key, "setting.text", True)
    fetch_allow: Reachable = _setting(
        "CHATAPP_FETCH_ALLOW", Reachable(), parse_reachable, "setting.reachable"
    )
    ocr: bool = _setting("CHATAPP_OCR", True, types.switch, "setting.switch")
    ocr_cpu: int = _setting("CHATAPP_OCR_CPU", 100, types.share, "setting.share")
    splitting: str = _setting("CHATAPP_SPLITTING", "size", types.splitting, "setting.splitting")

    # Limits
    max_streams: int = _setting("CHATAPP_MAX_STREAMS", 2000, types.non_negative, "setting.number")
    reader_seconds: int = _setting(
        "CHATAPP_READER_SECONDS", 30, types.non_negative, "setting.seconds"
    )
    body_seconds: int = _setting("CHATAPP_BODY_SECONDS", 20, types.at_least_one, "setting.seconds")
    upload_seconds: int = _setting(
        "CHATAPP_UPLOAD_SECONDS", 7200, types.at_least_one, "setting.seconds"
    )
    slow_bodies: int = _setting(
        "CHATAPP_SLOW_BODIES", 32, types.at_least_one, "setting.at_least_one"
    )
    answers_per_user: int = _setting(
        "CHATAPP_ANSWERS_PER_USER", 4, types.non_negative, "setting.unlimited"
    )
    keep_api_sessions: int = _setting(
        "CHATAPP_KEEP_API_SESSIONS", 30, types.non_negative, "setting.number"
    )
    daily_tokens: int = _setting("CHATAPP_DAILY_TOKENS", 0, types.non_negative, "setting.unlimited")
    storage_mb: int = _setting("CHATAPP_STORAGE_MB", 0, types.non_negative, "setting.unlimited")
    audit_days: int = _setting("CHATAPP_AUDIT_DAYS", 365, types.non_negative, "setting.unlimited")
    answer_bytes: int = _setting("CHATAPP_ANSWER_BYTES", MB, types.non_negative, "setting.bytes")
    unsaved_mb: int = _setting("CHATAPP_UNSAVED_MB", 64, types.non_negative, "setting.number")
    upload_bytes: int = _setting(
        "CHATAPP_UPLOAD_BYTES", 200 * MB, types.non_negative, "setting.bytes"
    )
    parse_seconds: int = _setting(
        "CHATAPP_PARSE_SECONDS", 300, types.non_negative, "setting.seconds"
    )
    parse_bytes: int = _setting(
        "CHATAPP_PARSE_BYTES", 1024 * MB, types.non_negative, "setting.bytes"
    )
    image_bytes: int = _setting("CHATAPP_IMAGE_BYTES", 20 * MB, types.non_negative, "setting.bytes")
    image_pixels: int = _setting(
        "CHATAPP_IMAGE_PIXELS", 10**8, types.non_negative, "setting.number"
    )
    data_url_bytes: int = _setting(
        "CHATAPP_DATA_URL_BYTES", 8 * MB, types.non_negative, "setting.bytes"
    )
    page_cache_bytes: int = _setting(
        "CHATAPP_PAGE_CACHE_BYTES", 500 * MB, types.non_negative, "setting.bytes"
    )
    file_pages: int = _setting("CHATAPP_FILE_PAGES", 5000, types.non_negative, "setting.number")

    @property
    def sql_url(self) -> str:
        """The database's URL: SQLite in the home folder unless DATABASE_URL is set."""
        return self.database_url or f"sqlite:///{self.home / 'chatapp.db'}"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, None for another database."""
        path = self.sql_url.removeprefix("sqlite:///")
        return Path(path) if path != self.sql_url else None

    @property
    def files_folder(self) -> Path:
        """The folder of originals and pictures, which hosts may share."""
        return self.files or self.home

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, changes: Mapping[str, str] | None = None
    ) -> "Settings":
        """Read and check all variables, or raise one SettingsError that names every fault.

        Without `environ`, read the process's and `.env`; `changes` take precedence over these.
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
            except (
                ValueError,
                KeyError,
                RuntimeError,
            ) as fault:  # the last: `~` of an unknown user
                weak = isinstance(fault, types.WeakPassword)
                expects = str(fault) if weak else setting.metadata["expects"]
                faults.append(_say(expects, name=name) + file.place(name, raw))
                values[setting.name] = setting.default
        settings = cls(**values)  # type: ignore[arg-type]
        if settings.embedder not in (BUILTIN, OFF) and "embedder_url" not in values:
            faults.append(_say("setting.embedder_url"))
        if settings.reranker != OFF and "reranker_url" not in values:
            faults.append(_say("setting.reranker_url"))
        if settings.oidc_issuer and not settings.oidc_client_id:
            faults.append(_say("setting.oidc_client_id"))
        if settings.auth_header and "trusted_proxies" not in values:
            faults.append(_say("setting.auth_header"))
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
    Compose interpolates all but single-quoted values. A name without `=` sets nothing, as there.
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


def unknown_variables() -> dict[str, str]:
    """Return the variables that look like settings but are none, each with the nearest name."""
    known = [*(setting.metadata["name"] for setting in fields(Settings)), *OTHER_VARIABLES]
    names = {*_read_env_file().values, *os.environ} - {*known}
    ends = {name.removeprefix(PREFIX): name for name in known}
    found: dict[str, str] = {}
    for name in sorted(each for each in names if each.upper().startswith(PREFIX)):
        near = get_close_matches(name.upper().removeprefix(PREFIX), ends, 1, LEAST_SIMILARITY)
        found[name] = ends[near[0]] if near else ""
    return found


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
