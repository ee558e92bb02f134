"""What clients of OpenAI's protocol are given, and what they ask."""

import base64
from dataclasses import dataclass

from tests.support.images import square

MODELS = (
    "echo",
    "usage",
    "sees",
    "cited",
    "parameters",
    "error-event",
    "refuse-429",
    "refuse-500",
    "typewriter-2000-50",
    "weather",
)
HANDBOOK = """# Leave

Employees get 27 days of paid leave in a year.

# Expenses

Travel costs are paid back within ten working days.
"""
QUESTION = "How many days of leave do employees get?"
PICTURE = "data:image/png;base64," + base64.b64encode(square()).decode()


@dataclass(frozen=True, slots=True)
class Access:
    """The service as a client sees it; `base` is the id of a knowledge base."""

    url: str
    key: str
    base: str
    embedder: str

    def environ(self) -> dict[str, str]:
        """Return the same as variables for a program."""
        return {
            "CHATAPP_URL": self.url,
            "CHATAPP_KEY": self.key,
            "CHATAPP_BASE": self.base,
            "CHATAPP_EMBEDDING_MODEL": self.embedder,
            "CHATAPP_PICTURE": PICTURE,
        }
