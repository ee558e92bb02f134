"""The environment and `.env` are read once, and every fault is reported at once."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from chatapp.i18n import LANGUAGES, catalogue
from chatapp.settings import Settings, SettingsError

EnvFile = Callable[[str], Path]


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvFile:
    """Write a settings file that is then read; no setting comes from the environment."""
    for setting in fields(Settings):
        monkeypatch.delenv(setting.metadata["name"], raising=False)
    path = tmp_path / "settings"
    monkeypatch.setenv("CHATAPP_ENV_FILE", str(path))

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_no_setting_is_required() -> None:
    settings = Settings.from_env({})
    assert settings.bind == "127.0.0.1:8000"
    assert settings.sql_url == f"sqlite:///{settings.home / 'chatapp.db'}"
    assert settings.sqlite_file == settings.home / "chatapp.db"


def test_blank_values_are_unset() -> None:
    assert Settings.from_env({"CHATAPP_BIND": " ", "OPENAI_API_KEY": ""}) == Settings.from_env({})


def test_all_faults_are_reported_together_without_the_values() -> None:
    wrong = {
        "CHATAPP_HOME": "~nobody-of-that-name/data",
        "CHATAPP_CA_FILE": "no-such-file.pem",
        "CHATAPP_BIND": "nowhere",
        "CHATAPP_AUTH": "maybe",
        "CHATAPP_SPLITTING": "taste",
        "DATABASE_URL": "mysql://secret@host/db",
        "CHATAPP_ORIGINS": "https://ok.example,*",
        "CHATAPP_ADMIN_PASSWORD": "short",
        "CHATAPP_TOKEN": "short",
        "CHATAPP_MAX_STREAMS": "-1",
        "OPENAI_BASE_URL": "ftp://host",
        "CHATAPP_LOG_LEVEL": "loud",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(wrong)
    assert all(name in str(caught.value) for name in wrong)
    assert "secret" not in str(caught.value) and "short" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "chat:p%40ss%231%2Fx%25y@db.example.org/chat",
        "chat:pass:word@[::1]:5432/chat?sslmode=require",
        "chat@/chat?host=/run/postgresql",
        "/chat?host=%2Frun%2Fpostgresql",
        "db/chat",
    ],
)
def test_urls_of_databases(address: str) -> None:
    url = f"postgresql+psycopg://{address}"
    assert Settings.from_env({"DATABASE_URL": url}).sql_url == url


@pytest.mark.parametrize("password", ["p@ss", "p@ss#1/x%y", "a/b", "a#b", "a?b", "100%", "a%zz"])
def test_a_password_that_would_be_cut_elsewhere_is_refused(password: str) -> None:
    with pytest.raises(SettingsError, match="write @ as %40") as caught:
        Settings.from_env({"DATABASE_URL": f"postgresql+psycopg://chat:{password}@db/chat"})
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "at least 8"), ("password1", "tried first"), ("a" * 20, "a single character")],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"CHATAPP_ADMIN_PASSWORD .*{why}") as caught:
        Settings.from_env({"CHATAPP_ADMIN_PASSWORD": password})
    assert password not in str(caught.value)


def test_repr_hides_secrets() -> None:
    given = {
        "OPENAI_API_KEY": "sk-canary",
        "CHATAPP_TOKEN": "canary-canary-canary",
        "CHATAPP_ADMIN_PASSWORD": "canary-word",
    }
    assert "canary" not in repr(Settings.from_env(given))


def test_values_get_their_types() -> None:
    settings = Settings.from_env(
        {
            "CHATAPP_HOME": "some/where",
            "CHATAPP_ORIGINS": "https://a.example, http://b.example:8080",
            "OPENAI_MODELS": "a, b,",
            "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1/",
            "CHATAPP_REWRITE": "off",
        }
    )
    assert settings.home == Path("some/where").absolute()
    assert settings.origins == ("https://a.example", "http://b.example:8080")
    assert settings.openai_models == ("a", "b")
    assert settings.openai_base_url == "http://127.0.0.1:11434/v1"
    assert settings.rewrite is False


def test_addresses_and_keys_are_understood_as_they_are_pasted() -> None:
    settings = Settings.from_env(
        {
            "OPENAI_API_KEY": '"Bearer sk-1"',
            "OPENAI_BASE_URL": "api.example.com/v1/chat/completions",
            "CHATAPP_EMBEDDER": "bge-m3",
            "CHATAPP_EMBEDDER_URL": " http：//127.0.0.1:11434/v1/embeddings/",
            "CHATAPP_EMBEDDER_KEY": "'sk-2'\n",
            "CHATAPP_PROXY": "proxy.example.com:3128",
            "CHROMA_URL": "chroma:8000/api/v2/",
            "CHATAPP_URL": "chat.example.com/",
        }
    )
    assert (settings.openai_api_key, settings.embedder_key) == ("sk-1", "sk-2")
    assert settings.openai_base_url == "https://api.example.com/v1"
    assert settings.embedder_url == "http://127.0.0.1:11434/v1"
    assert settings.proxy == "http://proxy.example.com:3128"
    assert settings.chroma_url == "http://chroma:8000"
    assert settings.url == "https://chat.example.com"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_has_a_sentence_about_its_values(language: str) -> None:
    sentences = {f"cli.{setting.metadata['expects']}" for setting in fields(Settings)}
    assert sentences <= catalogue(language).keys()


def test_faults_are_in_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(SettingsError, match="^CHATAPP_AUTH 应为 accounts 或 off。$"):
        Settings.from_env({"CHATAPP_AUTH": "maybe"})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        # https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/
        ("X=VAL", "VAL"),
        ('X="VAL"', "VAL"),
        ("X='VAL'", "VAL"),
        ("X=VAL # comment", "VAL"),
        ("X=VAL# not a comment", "VAL# not a comment"),
        ('X="VAL # not a comment"', "VAL # not a comment"),
        ('X="VAL" # comment', "VAL"),
        ("X='$OTHER'", "$OTHER"),
        ("X='${OTHER}'", "${OTHER}"),
        (r"X='Let\'s go!'", "Let's go!"),
        (r'X="{\"hello\": \"json\"}"', '{"hello": "json"}'),
        (r'X="some\tvalue"', "some\tvalue"),
        (r"X='some\tvalue'", r"some\tvalue"),
        (r"X=some\tvalue", r"some\tvalue"),
        ('X=\'{\n  "hello": "json"\n}\'', '{\n  "hello": "json"\n}'),
        # what Compose's documentation does not show
        ("export X=VAL", "VAL"),
        ("\n\n  X = VAL  \n\n", "VAL"),
        ("X=VAL\t# comment", "VAL"),
        ("X=it's", "it's"),
        ("X=first\nX=second", "second"),
    ],
)
def test_a_settings_file_means_the_same_as_in_compose(
    env_file: EnvFile, line: str, value: str
) -> None:
    env_file(line.replace("X", "CHATAPP_EMBEDDER_QUERY_PREFIX"))
    assert Settings.from_env().query_prefix == value


def test_comments_and_empty_values_leave_the_default(env_file: EnvFile) -> None:
    env_file("# CHATAPP_AUTH=off\n\nCHATAPP_REWRITE=\nCHATAPP_BIND= # the default\nCHATAPP_URL\n")
    assert Settings.from_env() == Settings.from_env({})


def test_a_dollar_sign_is_never_interpolated(
    env_file: EnvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "interpolated")
    for value in ("a$OTHER-b", '"a$OTHER-b"', "'a$OTHER-b'"):
        env_file(f"CHATAPP_ADMIN_PASSWORD={value}\n")
        assert Settings.from_env().admin_password == "a$OTHER-b"


def test_a_settings_file_may_be_written_on_windows(env_file: EnvFile) -> None:
    file = env_file("")
    file.write_bytes("CHATAPP_LOG_LEVEL=debug\r\nOPENAI_MODELS=模型\r\n".encode("utf-8-sig"))
    settings = Settings.from_env()
    assert (settings.log_level, settings.openai_models) == ("debug", ("模型",))
    file.write_bytes("OPENAI_MODELS=模型\n".encode("gb18030"))
    with pytest.raises(SettingsError, match=str(file)):
        Settings.from_env()


def test_the_environment_wins_over_the_file(
    env_file: EnvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file("CHATAPP_AUTH=off\nWEB_CONCURRENCY=3\n")
    monkeypatch.setenv("CHATAPP_AUTH", "accounts")
    assert (Settings.from_env().auth, Settings.from_env().workers) == ("accounts", 3)


def test_faults_of_the_file_name_their_lines(
    env_file: EnvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = env_file(
        "# a comment\n\nCHATAPP_PROXY http://proxy:3128\nCHATAPP_AUTH=maybe\n"
        "WEB_CONCURRENCY=many\nCHATAPP_TOKEN='unclosed\n"
    )
    monkeypatch.setenv("WEB_CONCURRENCY", "few")
    monkeypatch.setenv("CHATAPP_BIND", "nowhere")
    with pytest.raises(SettingsError) as caught:
        Settings.from_env()
    third, sixth, bind, workers, auth = str(caught.value).splitlines()
    assert f"Line 3 of {file} is invalid." in third and f"Line 6 of {file}" in sixth
    assert bind.startswith("CHATAPP_BIND must be") and bind.endswith(".")
    assert workers.startswith("WEB_CONCURRENCY must be") and workers.endswith(".")
    assert auth == f"CHATAPP_AUTH must be accounts or off. ({file}:4)"
