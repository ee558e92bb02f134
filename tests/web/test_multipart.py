"""Forms as programs really send them: names in any encoding and any quoting."""

import io

import pytest
from flask.testing import FlaskClient

from chatapp.web.multipart import receive_files

BOUNDARY = "x"
GBK = "年假制度.txt".encode("gbk")


def form(*dispositions: bytes) -> bytes:
    """Return a form with a part for each disposition; the content is the part's number."""
    parts = [
        b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n%d\r\n" % number
        for number, disposition in enumerate(dispositions)
    ]
    return b"".join([*parts, b"--x--\r\n"])


def names(client: FlaskClient, *dispositions: bytes) -> list[str]:
    """Upload and return the names of the stored files, in the order sent."""
    base = client.post("/api/knowledge", json={"name": "Names"}).json["id"]
    answer = client.post(
        f"/api/knowledge/{base}/files",
        data=form(*dispositions),
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == 202, answer.json
    return [item["name"] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'name="files"; filename="leave.pdf"', "leave.pdf"),
        (b"name=files; filename=leave.pdf", "leave.pdf"),
        (b'filename="leave.pdf"; name="files"', "leave.pdf"),
        (b'name="files"; filename="%s"' % GBK, "年假制度.txt"),
        (b"name=\"files\"; filename*=gbk''%C4%EA%BC%D9.txt", "年假.txt"),
        (b'name="files"; filename="x.txt"; filename*=UTF-8\'\'%E5%B9%B4.txt', "年.txt"),
        (b'name="files"; filename*=UTF-8\'\'%E5%B9%B4.txt; filename="x.txt"', "年.txt"),
        (b"name=\"files\"; filename*=no-such''%C4%EA%BC%D9.txt", "年假.txt"),
        (b"name=\"files\"; filename*=utf-8''100%2522%0A.txt", "100%22 .txt"),
        (b'name="files"; filename="=?utf-8?B?5bm05YGHLnR4dA==?="', "年假.txt"),
        (b'name="files"; filename="=?no-such?B?5bm05YGH?="', "=?no-such?B?5bm05YGH?="),
        (b'name="files"; filename="a%22b.txt"', 'a"b.txt'),
        (b'name="files"; filename="a\\"b.txt"', 'a"b.txt'),
        (b'name="files"; filename="a"b.txt"', 'a"b.txt'),
        (b'name="files"; filename="a;b.txt"', "a;b.txt"),
        (b'name="files"; filename="a%0Ab.txt"', "a b.txt"),
        (b'name="files"; filename="a\\"', "a"),
        (b'name="files"; filename="C:\\me\\a.txt"', "a.txt"),
        (b'name="files"; filename="nul\0.txt"', "nul.txt"),
        (b'name="files"; filename="open', '"open'),
        (b'name="files"; filename=""', "file"),
        (b'name="files"; filename="%s.txt"' % (b"long" * 5000), "long" * 62 + "lon.txt"),
    ],
)
def test_a_name_is_understood_as_far_as_possible(
    client: FlaskClient, disposition: bytes, name: str
) -> None:
    assert names(client, disposition) == [name]


def test_one_odd_name_refuses_no_other_file(client: FlaskClient) -> None:
    assert names(
        client,
        b'name="files"; filename="first.txt"',
        b'name="files"; filename="\xff\xfe\x80"',
        b'name="other"; filename="ignored.txt"',
        b'name="note"',
        b'name="files"; filename="last.txt"',
    ) == ["first.txt", "ÿþ€", "last.txt"]


def test_files_arrive_whole_however_the_form_is_cut() -> None:
    class Cut(io.BytesIO):
        """Yields the first bytes, then the rest."""

        left = 0

        def read(self, size: int | None = -1) -> bytes:
            size, self.left = self.left or size, 0
            return super().read(size)

    body = form(b'name="files"; filename="a.txt"', b'name="files"; filename="b.txt"')
    for place in range(1, len(body)):
        source = Cut(body)
        source.left = place
        received = receive_files(source, BOUNDARY, "files", io.BytesIO)
        assert [(name, target.getvalue()) for name, target in received] == [
            ("a.txt", b"0"),
            ("b.txt", b"1"),
        ], body[:place]


@pytest.mark.parametrize("body", [b"", b"--x\r\n\r\ntext\r\n--x--\r\n", form(b"name=files")[:-4]])
def test_what_is_no_complete_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"form-data|Content-Disposition"):
        receive_files(io.BytesIO(body), BOUNDARY, "files", io.BytesIO)
