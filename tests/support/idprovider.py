"""A real OpenID Connect provider (oidc-provider-mock) in a process of its own."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from chatapp.child import die_with_parent
from tests.support.service import free_port, wait_for

ADA = {
    "sub": "ada-1",
    "preferred_username": "ada",
    "email": "ada@example.org",
    "email_verified": True,
    "groups": ["staff", "chat-admins"],
}
BOB = {
    "sub": "bob-2",
    "preferred_username": "admin",  # as the first administrator
    "email": "bob@example.org",
    "email_verified": False,
    "groups": ["staff"],
}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class IdentityProvider:
    """The provider's process on a free port, and its sign-in form as a browser sends it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = tempfile.NamedTemporaryFile(prefix="provider-")  # noqa: SIM115

    def __enter__(self) -> "IdentityProvider":
        users = [part for user in (ADA, BOB) for part in ("--user-claims", json.dumps(user))]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(self.port),
             "-n", *users],
            stdout=self._output,
            stderr=self._output,
            preexec_fn=lambda: die_with_parent(9),
        )  # fmt: skip
        wait_for(self._answers, what="the identity provider answers")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._output.name).read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/.well-known/openid-configuration", timeout=5):
                return True
        except OSError:
            return False

    def answer(self, address: str, **form: str) -> str:
        """Send the form of the provider's page; return the address that it leads back to."""
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            opener.open(address, urllib.parse.urlencode(form).encode(), timeout=30)
        except urllib.error.HTTPError as reply:
            location = reply.headers["Location"]
            assert location, reply.read()[:500]
            return str(location)
        raise AssertionError("the provider did not lead back")

    def set_claims(self, sub: str, **claims: Any) -> None:
        """Change what the provider says about a person."""
        request = urllib.request.Request(
            f"{self.url}/users/{sub}",
            json.dumps(claims).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=30).close()


def query(address: str) -> dict[str, str]:
    """Return the query of an address."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


def changed(address: str, **values: str) -> str:
    """Return an address with other values in its query."""
    known = urllib.parse.urlencode(query(address) | values)
    return re.sub(r"\?.*", "?", address) + known
