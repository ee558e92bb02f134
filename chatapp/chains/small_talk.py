"""Greetings, thanks and other words that ask for nothing.

"Yes", "no" and "OK" alone are not among them: they may answer what the model has asked, and then
its documents are needed.
"""

import re

from chatapp.core.chinese import simplified

_REPLIES = (
    r"ok(?:ay)?|k|good|sure|yes|no|nope|yeah|yep|please|all right|alright|"
    "好的?|好吧|好滴|行吧?|可以了?|对的?|是的?|不是"
)
_WORDS = (
    r"(?:hi|hello|hey)(?: there)?|good (?:morning|afternoon|evening|night|day)|greetings|"
    r"thanks?(?: you)?(?: (?:so|very) much| a lot| again)?|many thanks|thx|ty|cheers|much obliged|"
    r"cool|great|nice|perfect|awesome|wonderful|excellent|super|wow|lol|haha+|"
    r"(?:i )?(?:see|got it|understand|understood)|got it|never ?mind|no problem|you'?re welcome|"
    r"sorry|well done|good job|that (?:helps|helped|is all|will be all|works)|"
    r"(?:good)?bye(?: bye)?|see you(?: later)?|"
    "你好呀?|您好|大家好|嗨|哈[喽啰]|早上好|早安|上午好|中午好|下午好|晚上好|晚安|在吗|"
    "(?:非常|十分|多|太)?(?:谢谢|感谢|多谢)(?:你|您)?(?:了|啦|的?(?:帮助|解答|回答))?|辛苦了?|"
    "嗯+|哦+|噢+|没事了?|没问题|没关系|知道了|明白了?|懂了|"
    "了解了?|收到|不错|很好|太好了|太棒了|厉害|牛|赞|哈哈+|再见|拜拜|回头见|抱歉|对不起"
)
# Atomic groups: no word is tried again, which would take forever for some texts.
_SMALL_TALK = re.compile(rf"(?>(?:{_WORDS}|{_REPLIES})[\W_]*)+|[\W_]+", re.IGNORECASE)
_REPLY = re.compile(rf"(?>(?:{_REPLIES})[\W_]*)+", re.IGNORECASE)


def is_small_talk(text: str) -> bool:
    """Return whether a text says nothing but such words."""
    said = simplified(text.strip())
    return _SMALL_TALK.fullmatch(said) is not None and not _REPLY.fullmatch(said)
