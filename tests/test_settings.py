"""The environment is read once, and every fault is named at once."""

from dataclasses import fields
from pathlib import Path

import pytest

from chatapp.i18n import LANGUAGES, catalogue
from chatapp.settings import Settings, SettingsError


def test_nothing_has_to_be_set() -> None:
    settings = Settings.from_env({})
    assert settings.bind == "127.0.0.1:8000"
    assert settings.sql_url == f"sqlite:///{settings.home / 'chatapp.db'}"
    assert settings.sqlite_file == settings.home / "chatapp.db"


def test_blank_is_unset() -> None:
    assert Settings.from_env({"CHATAPP_BIND": " ", "OPENAI_API_KEY": ""}) == Settings.from_env({})


def test_all_faults_are_named_together_and_no_value_is_repeated() -> None:
    wrong = {
        "CHATAPP_HOME": "~nobody-of-that-name/data",
        "CHATAPP_CA_FILE": "no-such-file.pem",
        "CHATAPP_BIND": "nowhere",
        "CHATAPP_AUTH": "maybe",
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


def test_secrets_are_not_shown() -> None:
    given = {
        "OPENAI_API_KEY": "sk-canary",
        "CHATAPP_TOKEN": "canary-canary-canary",
        "CHATAPP_ADMIN_PASSWORD": "canary-word",
    }
    assert "canary" not in repr(Settings.from_env(given))


def test_values_are_read_as_what_they_are() -> None:
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_says_what_it_takes(language: str) -> None:
    assert {f"cli.{setting.metadata['takes']}" for setting in fields(Settings)} <= catalogue(
        language
    ).keys()


def test_faults_are_said_in_the_terminal_s_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(SettingsError, match="^CHATAPP_AUTH 应为 accounts 或 off。$"):
        Settings.from_env({"CHATAPP_AUTH": "maybe"})


def test_a_settings_file_is_read_also_as_windows_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings"
    monkeypatch.setenv("CHATAPP_ENV_FILE", str(file))
    file.write_bytes("CHATAPP_LOG_LEVEL=debug\r\nOPENAI_MODELS=模型\r\n".encode("utf-8-sig"))
    assert (Settings.from_env().log_level, Settings.from_env().openai_models) == (
        "debug",
        ("模型",),
    )
    file.write_bytes("OPENAI_MODELS=模型\n".encode("gb18030"))
    with pytest.raises(SettingsError, match=str(file)):
        Settings.from_env()
