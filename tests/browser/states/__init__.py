"""The named states of the page, for screenshots and for tests that hold in every state."""

from collections.abc import Callable

from tests.browser.states import answers, chats, documents, finding, people, reports
from tests.browser.states.stage import Stage

STATES: dict[str, Callable[[Stage], None]] = {
    **answers.STATES,
    **chats.STATES,
    **finding.STATES,
    **documents.STATES,
    **people.STATES,
    **reports.STATES,
}
