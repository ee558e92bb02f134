"""Understand addresses and keys as people paste them: from documentation, consoles, `.env` files.

The one place for every setting, field and option that holds an address or a key. What cannot be
understood is refused; nothing is guessed that would send a key to another host.
"""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

# Full-width forms of ASCII (U+FF01 to U+FF5E), which Chinese input methods type, and full stops.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ", 0x3002: ".", 0xFF61: ".",
}  # fmt: skip
# Zero-width characters, soft hyphen, byte order mark and marks of direction.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d"
_AROUND = _QUOTES + "<>(),; \t\r\n\x0b\x0c\xa0"
_ASSIGNED = re.compile(
    r"(?:(?:export|setx?|const|let|var)\s+|\$env:|-H\s+)?[\"']?"
    r"([A-Za-z_][A-Za-z0-9_.-]*)[\"']?\s*(=|:(?!/))\s*"
)
_KEY_NAME = re.compile(r"(key|token|secret|authorization|password)$", re.IGNORECASE)
_URL_NAME = re.compile(r"(url|base|endpoint|host|address|uri|proxy)$", re.IGNORECASE)
_HEADER_NAME = re.compile(r"authorization|(x-)?(api[-_]?)?(key|token)", re.IGNORECASE)
_BEARER = re.compile(r"bearer(\s+|$)", re.IGNORECASE)
_SCHEME = re.compile(r"(https?)\s*:?\s*[/\\]{1,}|(https?)\s*:(?=[^\d/\\])", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# Addresses that usually have no certificate: IP addresses and names without a dot. Others get
# https, so that a key is not sent in plain text.
_LOCAL = re.compile(r"\[|\d+(\.\d+){3}(?![\w.])|[^./:]+(:|/|$)")
_LOOKS_LIKE_A_KEY = re.compile(r"(sk|ak|pk)-", re.IGNORECASE)
# Paths of single calls, below an API's address. Ollama's own protocol stands beside OpenAI's.
_CALLS = re.compile(
    r"(/(chat/)?completions|/responses|/embeddings|/messages|/rerank|/models(/[^/]*)?)+$"
)
_OLLAMA_CALLS = re.compile(r"/api/(chat|generate|tags|embed|embeddings|show|version|ps|pull)$")
_KEPT_QUERY = ("api-version",)  # Azure's, needed by every call


def pasted_key(text: str) -> str:
    """Return the key in a text such as `Bearer sk-…`, `export OPENAI_API_KEY="sk-…"` or `"sk-…",`.

    A text without anything around the key is returned as it is.
    """
    before, key = "", _cleaned(text)
    while key != before:
        before, key = key, key.strip(_AROUND)
        assigned = _ASSIGNED.match(key)
        if assigned and _names_a_key(assigned[1], assigned[2]):
            key = key[assigned.end() :]
        key = _BEARER.sub("", key, count=1) if _BEARER.match(key) else key
        key = re.sub(r"\s+#.*", "", key)
    return key


def pasted_address(text: str, default_scheme: str = "", is_api: bool = True) -> str:
    """Return the address in a text, without trailing slashes; raise ValueError if there is none.

    A missing scheme becomes `default_scheme`, else http for local names and https for others. With
    `is_api` it is the address of an OpenAI-compatible API, from which the paths of single calls
    (`/chat/completions`) are cut off.
    """
    address = _with_scheme(_unwrapped(_cleaned(text)), default_scheme)
    parts = urlsplit(address)
    if any(map(str.isspace, address)) or not parts.hostname or parts.port == 0:
        raise ValueError("address")
    path, query = re.sub("//+", "/", parts.path).rstrip("/"), parts.query
    if is_api and (call := _CALLS.search(path) or _OLLAMA_CALLS.search(path)):
        path = "/v1" if call.re is _OLLAMA_CALLS else path[: call.start()]
        query = urlencode([pair for pair in parse_qsl(query) if pair[0] in _KEPT_QUERY])
    credentials, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, credentials + at + host.lower(), path.rstrip("/"), query, ""))


def _cleaned(text: str) -> str:
    return _INVISIBLE.sub("", text.translate(_HALF_WIDTH)).strip(_AROUND)


def _names_a_key(name: str, sign: str) -> bool:
    """Return whether a name before `=` or `:` is a key's; a key may contain both signs itself."""
    return bool((_KEY_NAME.search if sign == "=" else _HEADER_NAME.fullmatch)(name))


def _unwrapped(text: str) -> str:
    assigned = _ASSIGNED.match(text)
    if assigned and _URL_NAME.search(assigned[1]) and not _SCHEME.match(text):
        is_name = assigned[2] == "=" or assigned[0][-1].isspace()  # not the port of a host
        text = text[assigned.end() :].strip(_AROUND) if is_name else text
    text = re.sub(r"\s+#.*", "", text)
    return re.sub(r"(%20|%0[ad])+$", "", text, flags=re.IGNORECASE)


def _with_scheme(text: str, default: str) -> str:
    """Return an address with one scheme, in lower case; `https:/host` and `http//host` have one."""
    scheme = ""
    while found := _SCHEME.match(text):
        scheme, text = (found[1] or found[2]).lower(), text[found.end() :]
    if not text or not scheme and (_OTHER_SCHEME.match(text) or _LOOKS_LIKE_A_KEY.match(text)):
        raise ValueError("address")
    host, slash, path = text.replace("\\", "/").partition("/")
    return f"{scheme or default or _usual_scheme(host)}://{host}{slash}{path}"


def _usual_scheme(host: str) -> str:
    return "http" if _LOCAL.match(host.rpartition("@")[2]) else "https"
