"""Limits of connections to PostgreSQL: ours, unless the address has its own."""

from chatapp.storage.pools import NETWORK_LIMITS, engine_options

URL = "postgresql+psycopg://chat@db.example.org/chat"


def test_a_silent_server_is_noticed_unless_the_address_says_otherwise() -> None:
    assert engine_options(URL)["connect_args"] == NETWORK_LIMITS
    own = engine_options(f"{URL}?connect_timeout=3&tcp_user_timeout=60000")["connect_args"]
    assert own == {name: n for name, n in NETWORK_LIMITS.items() if name.startswith("keepalives")}
