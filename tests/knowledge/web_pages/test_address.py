"""The addresses of pages: what is understood, and what is refused and why."""

import ipaddress
from typing import Any

import pytest

from chatapp.addresses import Reachable, parse_reachable
from chatapp.errors import InvalidRequest, PageUnavailable
from chatapp.knowledge.web_pages.address import page_address, redirect_address
from chatapp.knowledge.web_pages.guard import Guard, is_public
from chatapp.knowledge.web_pages.names import name_of_address, name_of_title, sent_name


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("https://example.org", "https://example.org/"),
        ("  <HTTPS://Example.ORG:443/a/b/?q=1&r=%20#part>\n", "https://example.org/a/b/?q=1&r=%20"),
        ("example.org/guide", "https://example.org/guide"),
        ("example.org:8443/guide", "https://example.org:8443/guide"),
        ("//example.org/guide", "https://example.org/guide"),
        ("http://example.org./a//b", "http://example.org/a//b"),
        ("https://zh.wikipedia.org/wiki/中文（语言）", "https://zh.wikipedia.org/wiki/"
         "%E4%B8%AD%E6%96%87%EF%BC%88%E8%AF%AD%E8%A8%80%EF%BC%89"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("http://例子.测试/", "http://xn--fsqu00a.xn--0zwm56d/"),
        ("https://example.org/a b", "https://example.org/a%20b"),
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://93.184.216.34/", "http://93.184.216.34/"),
        ("https://web.archive.org/web/2020/https://example.org/", "https://web.archive.org/web/2020/https://example.org/"),
    ],
)  # fmt: skip
def test_a_pasted_address_is_stored_in_one_form(pasted: str, address: str) -> None:
    assert page_address(pasted) == address
    assert page_address(address) == address


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        ("", "page_url"),
        ("not an address", "page_url"),
        ("https://", "page_url"),
        ("https://exa mple.org/", "page_url"),
        ("https://example.org/\nHost: other", "page_url"),
        ("https://-example.org/", "page_url"),
        ("https://example..org/", "page_url"),
        ("https://example.org:0x50/", "page_url"),
        ("https://example.org:99999/", "page_url"),
        (r"https://example.org\@127.0.0.1/", "url_credentials"),
        ("https://user:secret@example.org/", "url_credentials"),
        ("https://user@example.org/", "url_credentials"),
        ("https://@example.org/", "url_credentials"),
        ("file:///etc/passwd", "url_scheme"),
        ("ftp://example.org/", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("gopher://example.org:70/", "url_scheme"),
        ("http://example.org:22/", "url_port"),
        ("http://example.org:25/", "url_port"),
        ("https://" + "a" * 2000, "too_long"),
        # other ways to write 127.0.0.1, which the system's resolver understands
        ("http://127.1/", "page_url"),
        ("http://2130706433/", "page_url"),
        ("http://0x7f.0.0.1/", "page_url"),
        ("http://0x7f000001/", "page_url"),
        ("http://0177.0.0.1/", "page_url"),
        ("http://127.0.0.1.1/", "page_url"),
        ("http://[::1%25lo]/", "page_url"),
        ("http://[127.0.0.1]/", "page_url"),
        ("http://%31%32%37.0.0.1/", "page_url"),
    ],
)  # fmt: skip
def test_an_address_is_refused_with_its_reason(pasted: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page_address(pasted)
    assert caught.value.reasons["url"][0] == reason


def test_a_full_width_address_is_what_it_stands_for() -> None:
    assert page_address("http://１２７。０。０。１/") == "http://127.0.0.1/"


def test_a_redirect_is_relative_to_its_page() -> None:
    assert redirect_address("https://example.org/a/b", "../c?d") == "https://example.org/c?d"
    assert redirect_address("https://example.org/", "//other.org") == "https://other.org/"
    with pytest.raises(InvalidRequest):
        redirect_address("https://example.org/", "file:///etc/passwd")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9",
        "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1",
        "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_public_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(PageUnavailable) as caught:
        Guard(Reachable(), answers(address)).addresses("http://page.example/")
    assert caught.value.detail == "not_public"


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"]
)
def test_public_addresses(address: str) -> None:
    assert Guard(Reachable(), answers(address)).addresses("http://page.example/") == [address]


def test_ipv4_wrapped_in_ipv6_counts_as_that_ipv4() -> None:
    guard = Guard(Reachable(), answers("::ffff:127.0.0.1", "::ffff:1.1.1.1"))
    assert guard.addresses("http://page.example/") == ["1.1.1.1"]
    assert guard.refuses("http://[::ffff:10.0.0.1]/")


def test_only_what_the_setting_names_is_reached_beside_public_addresses() -> None:
    allowed = parse_reachable("wiki.example, *.corp.example, 10.1.0.0/16, fd00::/8")
    inside = Guard(allowed, answers("192.168.0.7"))
    assert inside.addresses("http://wiki.example/") == ["192.168.0.7"]
    assert inside.addresses("http://a.b.corp.example/") == ["192.168.0.7"]
    for other in ("xwiki.example", "corp.example", "evilcorp.example", "wiki.example.org"):
        with pytest.raises(PageUnavailable):
            inside.addresses(f"http://{other}/")
    assert Guard(allowed).addresses("http://10.1.2.3/") == ["10.1.2.3"]
    assert not Guard(allowed).refuses("http://[fd00::1]/")
    assert Guard(allowed).refuses("http://10.2.0.1/")


@pytest.mark.parametrize(
    "value", ["a b", "10.0.0.0/33", "http://wiki.example", "wiki.example:80", "*", "127.1"]
)
def test_a_setting_that_cannot_be_understood(value: str) -> None:
    with pytest.raises(ValueError):
        parse_reachable(value)


def test_names_of_pages() -> None:
    assert name_of_address("https://example.org/docs/%E6%8C%87%E5%8D%97/") == "指南"
    assert name_of_address("https://example.org/?a=b") == "example.org"
    assert sent_name("https://example.org/notes.md", "text/html") == "notes.md.html"
    assert sent_name("https://example.org/data", "text/csv") == "data.csv"
    assert sent_name("https://example.org/data.tsv", "text/plain") == "data.tsv"
    assert sent_name("https://example.org/a.pdf", "application/octet-stream") == "a.pdf"
    assert name_of_title("  Holidays\n and  TCP/IP ") == "Holidays and TCP-IP"
    assert name_of_title("Version 2.0 is here") == "Version 2.0 is here.html"
    assert name_of_title(" \n…") == ""


def answers(*addresses: str) -> Any:
    return lambda host, port, seconds: [(0, 0, 0, "", (address, port)) for address in addresses]
