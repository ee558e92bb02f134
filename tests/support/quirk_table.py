"""All quirks: those of bodies, and those of whole responses."""

from tests.support.quirks_content import CONTENT, THINKING
from tests.support.quirks_ends import COUNTS, ENDS
from tests.support.quirks_errors import ERRORS
from tests.support.quirks_messages import MESSAGES
from tests.support.quirks_responses import RESPONSES
from tests.support.quirks_wire import FRAMING, NO_CHUNKS

BODIES = (*FRAMING, *NO_CHUNKS, *CONTENT, *THINKING, *MESSAGES, *ENDS, *COUNTS, *ERRORS)
QUIRKS = (*BODIES, *RESPONSES)
