"""Tests of nasmake.data.preparing.download against servers that fail in many ways."""

import base64
import hashlib
import os
from http.server import SimpleHTTPRequestHandler

import pytest
from nasmake.core.errors import InputError
from nasmake.data.preparing import download
from nasmake.data.preparing.download import fetch
from small_data import serve

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(SimpleHTTPRequestHandler):
    """Serves CONTENT. Each request takes the next entry of `script`: a number of bytes, or a status with headers."""

    script: list = []  # noqa: RUF012
    asked: list = []  # noqa: RUF012
    etag = '"1"'
    has_ranges = True

    def do_GET(self):
        self.asked.append(dict(self.headers))
        step = self.script.pop(0) if self.script else len(CONTENT)
        if isinstance(step, tuple):
            status, headers = step
            self.send_response_only(status, headers.pop("reason", None))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            return
        start = 0
        if self.has_ranges and self.headers.get("If-Range") == self.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(CONTENT[start : start + step])

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Return a function that serves by a script; its result has the requests."""
    monkeypatch.setattr(download, "WAITS", (0, 0, 0))

    def start(*script, **attributes):
        return type("Scripted", (Server,), {"script": list(script), "asked": [], **attributes})

    return start


def get(tmp_path, handler, path="/a.tar.gz", sha256=SHA256, user=""):
    with serve(tmp_path, handler) as url:
        fetch(url.replace("://", f"://{user}") + path, sha256, tmp_path / "data" / "a.tar.gz")
    return (tmp_path / "data" / "a.tar.gz").read_bytes()


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "data").iterdir())


def test_interrupted_download_is_continued(tmp_path, server):
    handler = server(4000, 3000)
    assert get(tmp_path, handler) == CONTENT
    assert [asked.get("Range") for asked in handler.asked] == [None, "bytes=4000-", "bytes=7000-"]
    assert names(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize(("path", "asked"), [("/a.tar.gz", "bytes=4000-"), ("/other.tar.gz", None)])
def test_next_process_continues_a_download_of_the_same_url(tmp_path, server, path, asked):
    handler = server(4000, (404, {}))
    with serve(tmp_path, handler) as url:
        with pytest.raises(InputError, match="404"):
            fetch(f"{url}/a.tar.gz", SHA256, tmp_path / "data" / "a.tar.gz")
        assert names(tmp_path) == [".a.tar.gz.part", ".a.tar.gz.part.json"]
        fetch(f"{url}{path}", SHA256, tmp_path / "data" / "a.tar.gz")
    assert handler.asked[-1].get("Range") == asked
    assert names(tmp_path) == ["a.tar.gz"]


def test_server_without_ranges_and_changed_archive_start_from_the_beginning(tmp_path, server):
    assert get(tmp_path, server(4000, has_ranges=False)) == CONTENT
    (tmp_path / "data" / "a.tar.gz").unlink()
    (tmp_path / "data" / ".a.tar.gz.part").write_bytes(b"of another version")
    assert get(tmp_path, server(4000, etag='"2"')) == CONTENT


def test_archive_that_changed_under_the_same_tag_is_downloaded_again(tmp_path, server):
    class Changed(server(4000)):
        def do_GET(self):  # noqa: N802
            super().do_GET()
            if len(self.asked) == 1:  # what arrived is no part of CONTENT
                (part,) = (tmp_path / "data").glob(".*.part")
                while part.stat().st_size < 4000:
                    pass
                part.write_bytes(b"x" * 4000)

    handler = Changed
    assert get(tmp_path, handler) == CONTENT


@pytest.mark.parametrize(
    "answer", [(503, {}), (500, {"reason": "a\x1b[31mb"}), (429, {}), (416, {}), (206, {"Content-Range": "x"})]
)
def test_errors_that_may_pass_are_tried_again(tmp_path, server, answer):
    handler = server(4000, answer)
    assert get(tmp_path, handler) == CONTENT
    assert len(handler.asked) == 3


@pytest.mark.parametrize(
    ("answer", "attempts", "message"),
    [
        ((404, {}), 1, r"HTTP Error 404: Not Found"),
        ((503, {}), 4, r"HTTP Error 503: Service Unavailable"),
        ((404, {"reason": "\x1b[31mred\x07"}), 1, r"HTTP Error 404: \\x1b\[31mred\\x07"),
        ((200, {"Content-Length": "many"}), 1, "the server says that the size is many"),
        ((200, {"Content-Length": "-1"}), 1, "the server says that the size is -1"),
        ((302, {"Location": "http://[bad/x?token=s3cret"}), 1, "Invalid IPv6 URL"),
        ((302, {"Location": "http://localhost:port/?token=s3cret"}), 1, "nonnumeric port"),
        ((302, {"Location": "ftp://localhost/?token=s3cret"}), 1, r"unknown url type: ftp|token=\*\*\*"),
        ((302, {"Location": "file:///etc/passwd?token=s3cret"}), 1, r"not allowed"),
        ((302, {"Location": "gopher://x"}), 1, r"not allowed"),
    ],
)
def test_failures_are_one_line_without_secrets(tmp_path, server, answer, attempts, message):
    handler = server(*[(answer[0], dict(answer[1])) for _ in range(4)])
    with pytest.raises(InputError, match=message) as caught:
        get(tmp_path, handler, "/a.tar.gz?token=s3cret", user="me:s3cret@")
    text = str(caught.value)
    assert text.isprintable() and "s3cret" not in text
    assert "/a.tar.gz?token=***: download failed (" in text
    assert len(handler.asked) == attempts


def test_password_is_sent_and_never_logged(tmp_path, server, caplog):
    caplog.set_level("INFO")
    handler = server(100)
    assert get(tmp_path, handler, "/a.tar.gz?token=s3cret", user="me:s3cre%74@") == CONTENT
    sent = {asked["Authorization"] for asked in handler.asked}
    assert sent == {"Basic " + base64.b64encode(b"me:s3cret").decode()}
    assert "source: http://***@127.0.0.1:" in caplog.text
    assert "s3cre" not in caplog.text and "next attempt in 0 s" in caplog.text


@pytest.mark.parametrize("url", ["ftp://localhost/x?s3cret", "x?s3cret", "http://me:s3cret@[/", "http://é"])
def test_urls_that_cannot_be_opened(tmp_path, url):
    with pytest.raises(InputError, match="download failed") as caught:
        fetch(url, SHA256, tmp_path / "a.tar.gz")
    assert "s3cret" not in str(caught.value)


def test_wrong_checksum_leaves_only_the_rejected_file(tmp_path, server):
    with pytest.raises(InputError, match="wrong checksum"):
        get(tmp_path, server(), sha256="0" * 64)
    assert names(tmp_path) == ["a.tar.gz.rejected"]


def test_parts_of_earlier_versions_are_removed(tmp_path, server):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / f".a.tar.gz.{os.getpid()}.part").touch()
    get(tmp_path, server())
    assert names(tmp_path) == ["a.tar.gz"]
