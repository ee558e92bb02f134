"""Texts are filled in as their language writes them."""

from chatapp.i18n import say


def test_latin_words_have_spaces_in_chinese_text_and_chinese_words_none() -> None:
    filled = {name: say("zh-CN", "pictures.blind", {"model": name}) for name in ("gpt", "内置模型")}
    assert filled["gpt"].startswith("gpt 看不到图片")
    assert filled["内置模型"].startswith("内置模型看不到图片")
    assert say("en", "pictures.blind", {"model": "内置模型"}).startswith("内置模型 cannot see")


def test_values_are_not_read_as_templates() -> None:
    assert say("en", "pictures.blind", {"model": "{x}", "x": "y"}).startswith("{x} cannot see")
    assert say("en", "pictures.blind").startswith("{model} cannot see")
