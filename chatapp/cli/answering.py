"""Read one answer to its end over any number of connections, as the page does.

A dropped connection does not stop the answer: the next one continues at the last position
(`Last-Event-ID`). Until the message id is known, the question is sent again with the same
`client_message_id`, which attaches to the first request.
"""

import http.client
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from chatapp.cli.service import Refused, Service, Unreachable
from chatapp.cli.terminal import End, say
from chatapp.core.sse import Decoder

PATH = "/chat/stream"
SILENCE_SECONDS = 30  # three missed pings
BACKOFF_SECONDS = (0.5, 10)
TRIES = 7  # while the message id is unknown
GIVE_UP_SECONDS = 300
STOP_SECONDS = 5
PIECE_BYTES = 65536

Event = dict[str, Any]


class Answer:
    """An answer and its connection; `on_gap` is called when the connection is lost."""

    def __init__(
        self, service: Service, question: dict[str, Any], on_gap: Callable[[], None]
    ) -> None:
        self._service = service
        self._question = {**question, "client_message_id": str(uuid.uuid4())}
        self._on_gap = on_gap
        self._position = ""
        self._connected = False
        self._tries = 0
        self._last_event = time.monotonic()
        self.message_id: str | None = None

    def events(self) -> Iterator[Event]:
        """Yield events until the terminal one.

        Raises Unreachable, Refused, or End if the connection is lost for too long.
        """
        while True:
            retry_after = 0
            try:
                for event in self._connect(SILENCE_SECONDS):
                    yield event
                    if event["type"] in ("done", "error"):
                        return
            except (OSError, http.client.HTTPException) as fault:
                if not self._connected:
                    raise Unreachable(self._service.url) from fault
            except Refused as refused:
                if self.message_id is None or not refused.temporary:
                    raise
                retry_after = refused.retry_after
            self._pause(retry_after)

    def stop(self) -> bool:
        """Stop the answer at the service and return whether that worked; wait for its id first."""
        try:
            if self.message_id is None:
                for _ in self._connect(STOP_SECONDS):
                    if self.message_id is not None:
                        break
            if self.message_id is not None:
                self._service.call("DELETE", f"{PATH}/{self.message_id}", seconds=STOP_SECONDS)
                return True
        except (End, OSError, http.client.HTTPException):
            pass
        return False

    def _connect(self, silence: float) -> Iterator[Event]:
        with self._service.connection(silence) as connection:
            self._connected = True
            headers = {**self._service.headers(), "Accept": "text/event-stream"}
            if self.message_id is None:
                headers["Content-Type"] = "application/json"
                connection.request(
                    "POST", self._service.path(PATH), json.dumps(self._question).encode(), headers
                )
            else:
                if self._position:
                    headers["Last-Event-ID"] = self._position
                connection.request(
                    "GET", self._service.path(f"{PATH}/{self.message_id}"), None, headers
                )
            response = connection.getresponse()
            if response.status != 200 or not response.headers.get("Content-Type", "").startswith(
                "text/event-stream"
            ):
                self._service.read(response)
                raise Refused(
                    say("service.unexpected", url=self._service.url, status=response.status),
                    "unexpected",
                    200,
                )
            yield from self._read(response)

    def _read(self, response: http.client.HTTPResponse) -> Iterator[Event]:
        decoder = Decoder()
        while data := response.read1(PIECE_BYTES):
            for message in decoder.feed(data):
                event = self._event(message.data)
                self._position = message.last_id or self._position
                self._tries, self._last_event = 0, time.monotonic()
                if event["type"] == "context":
                    self.message_id = str(event["message_id"])
                yield event

    def _event(self, data: str) -> Event:
        try:
            event: Event = json.loads(data)
            event["message_id" if event["type"] == "context" else "data"]  # required
            return event
        except (ValueError, KeyError, TypeError) as fault:
            raise End(
                say("service.unexpected", url=self._service.url, status=200), "unexpected"
            ) from fault

    def _pause(self, retry_after: int) -> None:
        """Wait before the next connection; raise after too many attempts or too long a time."""
        if self.message_id is None and self._tries >= TRIES:
            raise Unreachable(self._service.url)
        if time.monotonic() - self._last_event > GIVE_UP_SECONDS:
            raise End(say("ask.lost"), "lost")
        self._on_gap()
        first, longest = BACKOFF_SECONDS
        full = first if retry_after else min(first * 2**self._tries, longest)
        self._tries += 1
        time.sleep(retry_after + full * (0.5 + random.random() / 2))
