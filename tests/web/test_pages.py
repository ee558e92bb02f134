"""What the pages say before their script runs."""

from flask.testing import FlaskClient


def test_a_page_says_that_its_script_has_not_loaded(client: FlaskClient) -> None:
    for path in ("/sign-in", "/"):
        for language, words in (("en", "did not load"), ("zh-CN", "没有加载")):
            page = client.get(path, headers={"Accept-Language": language}).text
            tag = page.partition("data-unloaded")[2].partition("</p>")[0]
            assert words in tag and "hidden" not in tag
    missing = client.get("/nope", headers={"Accept": "text/html"}).text
    assert "data-unloaded" not in missing  # it needs no script
