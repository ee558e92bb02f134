"""Pictures of a question as a prompt holds them, and the tokens they are counted as."""

from dataclasses import dataclass

PATCH = 28  # pixels; models cut a picture into squares of about this size, a token each
MIN_TOKENS, MAX_TOKENS = 64, 1600  # of one picture: larger ones are made smaller by suppliers


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture: the path of its file, its kind and its size in pixels."""

    path: str
    media_type: str
    width: int
    height: int

    @property
    def tokens(self) -> int:
        """Estimate the tokens that a model needs for it."""
        patches = -(-self.width // PATCH) * -(-self.height // PATCH)
        return max(MIN_TOKENS, min(patches, MAX_TOKENS))
