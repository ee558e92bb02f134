"""Public URLs, origins and networks as people and proxies write them."""

from ipaddress import ip_address

import pytest

from chatapp.addresses import (
    LOOPBACK,
    is_within,
    parse_address,
    parse_networks,
    parse_origin,
    parse_public_url,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://chat.example.org", "https://chat.example.org"),
        ("https://chat.example.org/chat/", "https://chat.example.org/chat"),
        (" https://Chat.Example.org:443/Chat ", "https://chat.example.org/Chat"),
        ("http://127.0.0.1:8080/a/b/", "http://127.0.0.1:8080/a/b"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://聊天.example.org/x_1", "https://xn--rss932g.example.org/x_1"),
        ("http://nas_1/", "http://nas_1"),
    ],
)
def test_a_public_url_is_read_as_browsers_read_it(text: str, url: str) -> None:
    assert str(parse_public_url(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        "chat.example.org",
        "ftp://chat.example.org",
        "https://",
        "https:///chat",
        "https://user:secret@chat.example.org",
        "https://chat.example.org/chat?a=1",
        "https://chat.example.org/chat#a",
        "https://chat.example.org//chat",
        "https://chat.example.org/a/../b",
        "https://chat.example.org/a b",
        "https://chat.example.org/a;b",
        "https://chat.example.org/聊天",
        "https://chat.example.org:99999",
        "https://chat..example.org",
        "https://chat.example.org, https://other.example.org",
    ],
)
def test_what_is_not_the_address_of_a_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_public_url(text)


def test_origins_are_equal_with_and_without_their_default_port() -> None:
    assert parse_origin("https://a.example:443") == parse_origin("https://A.example")
    assert parse_origin("http://a.example:443") != parse_origin("http://a.example")
    assert parse_origin("http://a.example") != parse_origin("https://a.example")


@pytest.mark.parametrize("text", ["", "null", "file://", "http://[", "https://a.example/path", "a"])
def test_what_is_not_a_website_has_no_origin(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:52001", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        (" 2001:db8::1 ", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("unknown", None),
        ("_hidden", None),
        ("", None),
    ],
)
def test_a_proxy_may_write_an_address_with_its_port(text: str, address: str | None) -> None:
    assert parse_address(text) == (ip_address(address) if address else None)


def test_networks_hold_addresses_of_their_own_kind() -> None:
    networks = parse_networks("10.1.2.3/8, 2001:db8::/32,192.0.2.7")
    inside = ["10.255.0.1", "2001:db8::5", "192.0.2.7"]
    outside = ["11.0.0.1", "2001:db9::5", "192.0.2.8"]
    assert all(is_within(ip_address(text), networks) for text in inside)
    assert not any(is_within(ip_address(text), networks) for text in outside)
    assert is_within(ip_address("127.0.0.2"), LOOPBACK)


@pytest.mark.parametrize("text", ["nginx", "10.0.0.0/33", "*", ",", "127.0.0.1;::1"])
def test_what_is_not_a_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_networks(text)
