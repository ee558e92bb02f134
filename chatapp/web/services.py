"""The application's services, created once by `create_app` and used by every view."""

from dataclasses import dataclass

from flask import current_app

from chatapp.chat.feedback import AnswerFeedback
from chatapp.chat.images import Images
from chatapp.chat.prompts import Prompts
from chatapp.chat.runs.runs import Runs
from chatapp.chat.sessions import Sessions
from chatapp.chat.shares import Shares
from chatapp.chat.suppliers import Suppliers
from chatapp.chat.turns import Turns
from chatapp.identity.accounts import Accounts
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.pageview.views import PageViews
from chatapp.knowledge.suggestions import Suggestions
from chatapp.settings import Settings
from chatapp.storage.database import Database

EXTENSION = "chatapp"  # the key in `app.extensions`


@dataclass(frozen=True, slots=True)
class Services:
    """The services that views use."""

    settings: Settings
    database: Database
    accounts: Accounts
    sessions: Sessions
    feedback: AnswerFeedback
    images: Images
    shares: Shares
    prompts: Prompts
    suppliers: Suppliers
    knowledge: Knowledge
    page_views: PageViews
    suggestions: Suggestions
    runs: Runs
    turns: Turns


def services() -> Services:
    """Return the services of the current app."""
    found: Services = current_app.extensions[EXTENSION]
    return found
