"""Addresses and keys are understood as people paste them."""

import pytest

from chatapp.core.pasted import pasted_address, pasted_key

API = "https://api.example.com/v1"
# as pasted, as understood
ADDRESSES = [
    (API, API),
    # blanks, invisible characters, quotes, punctuation around
    (f" \n{API}\t", API),
    (f"\ufeff{API}\u200b", API),
    (f'"{API}"', API),
    (f"“{API}”，", API),
    (f"`{API}`;", API),
    (f"<{API}>", API),
    (f"{API}%20", API),
    # slashes, cases, queries
    (f"{API}/", API),
    ("https://api.example.com//v1//", API),
    ("HTTPS://API.Example.com/v1", API),
    (f"{API}?", API),
    (f"{API}#/token", API),
    (f"{API}?team=a", f"{API}?team=a"),
    # the addresses of single calls
    *((f"{API}{call}{end}", API)
      for call in ("/chat/completions", "/completions", "/models", "/embeddings", "/responses",
                   "/messages", "/models/gpt-4o")
      for end in ("", "/", "?stream=true", " ")),
    ("https://api.example.com/chat/completions", "https://api.example.com"),
    (
        "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024&n=1",
        "https://x.openai.azure.com/openai/deployments/d?api-version=2024",
    ),
    ("http://localhost:11434/api/chat", "http://localhost:11434/v1"),
    ("http://localhost:11434/api/tags", "http://localhost:11434/v1"),
    # the scheme is missing, doubled or mistyped
    ("localhost:11434", "http://localhost:11434"),
    ("127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
    ("[::1]:8080/v1", "http://[::1]:8080/v1"),
    ("ollama:11434/v1", "http://ollama:11434/v1"),
    ("ollama", "http://ollama"),
    ("api.example.com", "https://api.example.com"),
    ("api.example.com:8443/v1", "https://api.example.com:8443/v1"),
    ("https:/api.example.com/v1", API),
    ("https//api.example.com/v1", API),
    ("https:api.example.com/v1", API),
    ("https://https://api.example.com/v1", API),
    ("https:\\\\api.example.com\\v1", API),
    # Chinese input methods
    ("https：／／api．example．com／v1", API),
    ("ｈｔｔｐｓ://api。example。com/v1", API),
    ("localhost：11434", "http://localhost:11434"),
    # lines of settings and programs
    (f"OPENAI_BASE_URL={API}", API),
    (f"export OPENAI_API_BASE='{API}/'", API),
    (f"base_url: {API}", API),
    (f'"base_url": "{API}",', API),
    (f'$env:OPENAI_BASE_URL="{API}"', API),
    (f"OPENAI_BASE_URL={API} # mine", API),
    # credentials stay; where they are refused is the business of the field
    ("http://user:Pa5s@Proxy:3128", "http://user:Pa5s@proxy:3128"),
]  # fmt: skip


@pytest.mark.parametrize(("pasted", "understood"), ADDRESSES)
def test_an_address_is_understood(pasted: str, understood: str) -> None:
    assert pasted_address(pasted) == understood
    assert pasted_address(understood) == understood


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "  ",
        "http://",
        "http://a b/",
        f"{API}\nsk-secret",
        f"{API} {API}",
        "http://[::1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "ftp://api.example.com/v1",
        "socks5://127.0.0.1:1080",
        "sk-4f8a9b21c7d0",
        "/v1/chat/completions",
    ],
)
def test_what_is_no_address_is_refused(pasted: str) -> None:
    with pytest.raises(ValueError):
        pasted_address(pasted)


def test_an_address_that_is_no_api_keeps_its_path() -> None:
    assert pasted_address("proxy:3128", "http", is_api=False) == "http://proxy:3128"
    assert pasted_address("proxy.example.com:3128", "http") == "http://proxy.example.com:3128"
    chat = "https://chat.example.com/models"
    assert pasted_address(f"{chat}/", is_api=False) == chat


KEY = "sk-4f8a_9b21.c7=="


@pytest.mark.parametrize(
    "pasted",
    [
        KEY,
        f" {KEY}\n",
        f"\u200b{KEY}\ufeff",
        f'"{KEY}"',
        f"'{KEY}'",
        f"“{KEY}”",
        f"「{KEY}」",
        f"`{KEY}`",
        f'"{KEY}",',
        f"{KEY};",
        f"Bearer {KEY}",
        f"bearer  '{KEY}'",
        f"Authorization: Bearer {KEY}",
        f'-H "Authorization: Bearer {KEY}"',
        f"api-key: {KEY}",
        f"X-Api-Key:{KEY}",
        f"OPENAI_API_KEY={KEY}",
        f'export OPENAI_API_KEY="{KEY}"',
        f"set OPENAI_API_KEY={KEY}",
        f'$env:OPENAI_API_KEY = "{KEY}"',
        f'"api_key": "{KEY}",',
        f"DEEPSEEK_API_KEY='{KEY}' # mine",
        f"OPENAI_API_KEY=Bearer {KEY}",
        "ｓｋ－4f8a＿9b21．c7＝＝",
    ],
)
def test_a_key_is_understood(pasted: str) -> None:
    assert pasted_key(pasted) == KEY


@pytest.mark.parametrize(
    "key", ["", "id:secret==", "0f1e2d3c.AbCd", "sk-…abc", "sk-a b", "EMPTY", "sk\u2028x"]
)
def test_what_may_be_a_key_stays(key: str) -> None:
    assert pasted_key(key) == key


def test_only_the_name_of_a_key_is_none() -> None:
    assert pasted_key("Bearer ") == pasted_key("Authorization: Bearer") == ""
