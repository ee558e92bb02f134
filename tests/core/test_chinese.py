"""Folding traditional Chinese characters to simplified ones."""

import unicodedata

import pytest

from chatapp.core.chinese import simplified
from chatapp.core.text import index_tokens, query_tokens

HAN = [chr(code) for code in range(0x3400, 0xA000)]


def same(word: str) -> str:
    return word


@pytest.mark.parametrize(
    ("traditional", "folded"),
    [
        ("乾燥 乾淨 幹部 乾坤", "干燥 干净 干部 干坤"),
        ("看著 著名", "看着 着名"),
        ("關於 於是", "关于 于是"),
        ("後來 王后", "后来 王后"),
        ("這裡 這裏 公里", "这里 这里 公里"),
        ("臺灣 台湾 颱風 檯面", "台湾 台湾 台风 台面"),
        ("什麼 為什麽", "什么 为什么"),
        ("頭髮 發現", "头发 发现"),
        ("餘額 麵條 隻 只", "余额 面条 只 只"),
        ("答覆 瞭解 妳", "答复 了解 你"),
        ("线 線 綫", "线 线 线"),
        ("為 爲 群 羣 里 裡", "为 为 群 群 里 里"),
    ],
)
def test_the_spellings_of_a_word_meet(traditional: str, folded: str) -> None:
    assert simplified(traditional) == folded


@pytest.mark.parametrize(
    "text", ["", "Café, naïve", "简体中文的文字", "ひらがな 한국어 ไทย", "坏 像 沈 么 后 里 干 面"]
)
def test_other_texts_stay(text: str) -> None:
    assert simplified(text) == text


def test_a_folded_character_is_one_character_and_final() -> None:
    folded = {one: simplified(one) for one in HAN}
    assert sum(one != other for one, other in folded.items()) > 2_900
    assert all(other in folded and folded[other] == other for other in folded.values())
    # Width and accents are folded before: that must not undo it.
    assert all(unicodedata.normalize("NFKD", other) == other for other in folded.values())


def test_offsets_stay() -> None:
    text = "人人有權享有國籍（第十五條）。 𠀋 A"
    assert len(simplified(text)) == len(text)
    assert simplified(text)[6:8] == "国籍"


@pytest.mark.parametrize(
    ("traditional", "in_simplified"),
    [
        ("請問年假有幾個工作日？", "请问年假有几个工作日？"),
        ("為什麼檔案讀不出來？怎麼辦？", "为什么档案读不出来？怎么办？"),
        ("有沒有關於頭髮的規定，誰負責？", "有没有关于头发的规定，谁负责？"),
        ("這是哪裡？她會不會來？", "这是哪里？她会不会来？"),
    ],
)
def test_both_scripts_have_the_same_tokens(traditional: str, in_simplified: str) -> None:
    assert query_tokens(traditional, same) == query_tokens(in_simplified, same) != []
    assert index_tokens(traditional, same) == index_tokens(in_simplified, same)


def test_question_words_are_not_searched_for_in_either_script() -> None:
    assert query_tokens("請問有幾個工作日？", same) == ["有", "工作", "作日"]
    assert query_tokens("為什麼？怎麼樣？什麼時候？誰？", same) == []
    assert query_tokens("這個她來嗎？", same) == query_tokens("这个她来吗？", same)
