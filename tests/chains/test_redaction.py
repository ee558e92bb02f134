"""No form of a secret is left in a supplier's text, and the rest stays readable."""

import base64
from urllib.parse import quote

import pytest

from chatapp.chains.call import Target
from chatapp.chains.http.connection import Route
from chatapp.chains.redaction import Secrets
from chatapp.chains.upstream import READ_CHARACTERS, TOLD_CHARACTERS, garbled, with_answer

KEY = "zz9-Kp_Q/7f=w+Xk31LmTt0"
SECRETS = Secrets((KEY,), ("header-value",))


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"Incorrect API key provided: {KEY}.",
        f'{{"headers": {{"Authorization": "Bearer {KEY}"}}}}',
        f"{KEY[:11]}\n{KEY[11:]}",
        f"{KEY[:9]}\u200b {KEY[9:]}",
        '"' + '", "'.join(KEY) + '"',
        f"key={quote(KEY, safe='')}",
        f"key={quote(KEY)}",
        KEY.encode().hex(),
        *(basic(f"{'x' * n}{KEY}:more") for n in range(3)),
        base64.urlsafe_b64encode(f"u:{KEY}".encode()).decode(),
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
        "".join(f"&#{ord(letter)};" for letter in KEY),
        "".join(f"%{ord(letter):02x}" for letter in KEY),
        f"the key ends in {KEY[-8:]}",
        f"{KEY[:10]}********",
        "x-key: header-value",
    ],
)
def test_no_form_of_a_secret_is_left(text: str) -> None:
    shown = SECRETS.removed_from(f"Refused. {text} See the documentation.")
    assert "***" in shown and "Refused." in shown and "See the documentation." in shown
    for part in (KEY, "header-value", *(KEY[n : n + 8] for n in range(len(KEY) - 7))):
        assert part not in shown
    assert basic(KEY)[4:20] not in shown and KEY.encode().hex()[8:30] not in shown


@pytest.mark.parametrize(
    "other",
    [
        "sk-proj-4f8a9b21c7",
        "sk-ant-api03-abc_def",
        "AIzaSyD4f8a9b21c7d0e3",
        "gsk_4f8a9b21c7d0e3",
        "Bearer abcdefgh12345678",
        "hf_QwErTyUiOp123456",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0.AbCdEfGh12345678",
        "http://user:pa55word@10.0.0.1:3128",
        '"api_key": "whatever1"',
        "X-Api-Key: whatever1",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_what_looks_like_a_key_of_others_is_hidden(other: str) -> None:
    shown = Secrets().removed_from(f"upstream said {other} is refused")
    assert other not in shown and "***" in shown
    assert shown.startswith("upstream said") and shown.endswith("is refused")


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.69 GiB total capacity)",
        "API key not valid. Please pass a valid API key.",
        "request (9042 tokens) exceeds the available context size (4096 tokens)",
        "The model `qwen3-235b-a22b-instruct-2507-fp8` does not exist",
        "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors",
        '{"error":{"code":"invalid_api_key","type":"invalid_request_error","param":null}}',
        "request id: 649b2bbc-c541-9e16-9845-db7fe4fe5b2d",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert Secrets().removed_from(text) == text


def test_all_secrets_of_a_supplier_are_known() -> None:
    target = Target(
        Route(
            "http://me:base-pass@127.0.0.1:9/v1?key=query-key-1", "http://user:pro%40xy@127.0.0.1:1"
        ),
        "Canned",
        "the-key-itself",
        {"X-Team": "team-blue", "X-Access": "0123456789abcdef"},
        {"user": "jane", "nested": {"auth_token": "token-in-body"}},
    )
    words = "base-pass query-key-1 pro%40xy pro@xy the-key-itself team-blue 0123456789abcdef"
    shown = target.secrets().removed_from(f"{words} token-in-body jane")
    assert set(shown.split()) == {"***", "jane"}
    assert "the-key-itself" not in repr(target) + repr(target.secrets())


def test_the_text_is_short_and_can_be_stored_anywhere() -> None:
    body = "\0 x" + "word " * 2000 + KEY
    error = with_answer(garbled("Canned"), "Canned", 200, body.encode() + b"\xff", SECRETS)
    assert error.upstream is not None and error.upstream.status == 200
    text = error.upstream.text
    assert len(text) == TOLD_CHARACTERS and "\0" not in text
    edge = "a" * (READ_CHARACTERS - 10) + KEY
    error = with_answer(garbled("Canned"), "Canned", 200, {"message": edge}, SECRETS)
    assert error.upstream is not None and KEY[:8] not in error.upstream.text
    assert with_answer(garbled("Canned"), "Canned", 502, b"", SECRETS).upstream is None
    lone = with_answer(garbled("Canned"), "Canned", 200, {"message": "half \ud83d"}, SECRETS)
    assert lone.upstream is not None and lone.upstream.text.encode()
