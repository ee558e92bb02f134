"""Web pages of a base, as users add them and fetch them again."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.errors import InvalidRequest
from chatapp.knowledge.access import find_file, writable_base
from chatapp.knowledge.json_shapes import file_json
from chatapp.knowledge.storage_limit import require_storage
from chatapp.knowledge.web_pages.address import FIELD, page_address
from chatapp.knowledge.web_pages.guard import Guard
from chatapp.knowledge.web_pages.rows import add_page, fetch_again
from chatapp.settings import Settings
from chatapp.storage.database import Database


class WebPages:
    """Adds pages to bases; the document worker fetches them (fetching.py)."""

    def __init__(self, database: Database, settings: Settings, wake: Callable[[], None]) -> None:
        self._database = database
        self._settings = settings
        self._guard = Guard(settings.fetch_allow)
        self._wake = wake

    def add(self, user_id: str, base_id: str, text: str) -> dict[str, Any]:
        """Add the page of a pasted address; `duplicate` is true where the base has it already.

        Raises NotFound, Forbidden, InvalidRequest for an address that is not fetched, and TooLarge
        if the base's owner has stored all that they may. What is fetched is not measured again.
        """
        address = page_address(text)
        if self._guard.refuses(address):
            raise InvalidRequest(FIELD, "url_private")

        def add(t: Session) -> dict[str, Any]:
            base = writable_base(t, user_id, base_id)
            require_storage(t, self._settings, base.user_id or user_id, 1)
            file, known = add_page(t, base.id, address)
            return file_json(file) | {"duplicate": known}

        try:
            row = self._database.write(add)
        except IntegrityError:  # PostgreSQL: the same address at the same time
            row = self._database.write(add)
        self._wake()
        return row

    def fetch_again(self, user_id: str, base_id: str, file_id: str) -> dict[str, Any]:
        """Fetch a page again; its content stays until the new one is read.

        Raises NotFound, Forbidden, and InvalidRequest for a file that was uploaded.
        """

        def again(t: Session) -> dict[str, Any]:
            file = find_file(t, writable_base(t, user_id, base_id), file_id)
            if file.url is None:
                raise InvalidRequest("file_id", "not_a_page")
            fetch_again(t, file)
            return file_json(file)

        row = self._database.write(again)
        self._wake()
        return row
