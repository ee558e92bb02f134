"""Ids of /v1, made of ours."""

COMPLETION = "chatcmpl-"


def completion_id(message_id: str) -> str:
    """Return the id of a completion; behind the prefix it is the answer's id."""
    return COMPLETION + message_id
