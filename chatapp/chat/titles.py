"""The title of a session: its first question, shortened."""

from chatapp.core.prompt import estimate_tokens

MOST_TOKENS = 24  # about two dozen CJK characters, or fifteen English words
LONGEST = 400  # characters of a question that are considered
ENDS = "。！？!?；;\n"


def title_of(question: str) -> str:
    """Cut a question to its first sentence, or to the words that fit and an ellipsis."""
    text = " ".join(question[:LONGEST].split())
    for index, letter in enumerate(text):
        if letter in ENDS and index >= 4 and estimate_tokens(text[:index]) <= MOST_TOKENS:
            return text[: index + 1].rstrip("。；;")
    if estimate_tokens(text) <= MOST_TOKENS and len(question) <= LONGEST:
        return text
    size = len(text)
    while estimate_tokens(text[:size]) > MOST_TOKENS:
        size -= 1
    cut = text[:size]
    if text[size : size + 1].isascii() and " " in cut:
        cut = cut.rpartition(" ")[0]
    return cut.rstrip(" ,，、:：-—") + "…"
