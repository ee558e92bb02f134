"""Limits of connections to PostgreSQL: ours, unless the address has its own."""

import os

from chatapp.storage.pools import NETWORK_LIMITS, engine_options

URL = "postgresql+psycopg://chat@db.example.org/chat"


def test_a_silent_server_is_noticed_unless_the_address_says_otherwise() -> None:
    named = engine_options(URL)["connect_args"]
    assert str(os.getpid()) in named.pop("application_name") and named == NETWORK_LIMITS
    address = f"{URL}?connect_timeout=3&tcp_user_timeout=60000&application_name=chat"
    own = engine_options(address)["connect_args"]
    assert own == {name: n for name, n in NETWORK_LIMITS.items() if name.startswith("keepalives")}
