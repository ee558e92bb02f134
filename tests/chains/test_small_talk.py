"""Texts that ask for nothing."""

import pytest

from chatapp.chains.followup import depends_on_history
from chatapp.chains.small_talk import is_small_talk
from chatapp.core.prompt import Turn


@pytest.mark.parametrize(
    "text",
    ["Thanks!", "thank you very much", "OK, got it, thanks", "Hello there", "hi", "good morning",
     "谢谢！", "好的，谢谢你", "你好", "非常感谢您的帮助。", "嗯嗯", "再见",
     "謝謝妳的幫助！", "沒問題，瞭解了", "😊", "👍👍", "...", "哈" * 60],
)  # fmt: skip
def test_small_talk(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    ["", "hi, how do I reset it?", "Good. And for interns?", "No refunds?", "high", "test coverage",
     "好的，那实习生呢？", "你好，请问年假有几天？", "谢谢信怎么写",
     "测试", "fine", "哈" * 60 + "佛", "ok " * 3000 + "?x"],
)  # fmt: skip
def test_what_may_be_a_question(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize(
    "text", ["Yes", "no", "OK", "Yes, please.", "是的", "好的", "可以，好", "行"]
)
def test_a_reply_to_the_model_is_searched_for_with_its_question(text: str) -> None:
    history = [Turn("user", "年假有几天？ How much leave?"), Turn("assistant", "20. More?")]
    assert not is_small_talk(text) and depends_on_history(text, history)
