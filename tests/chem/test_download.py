"""Downloads against a server in this process that does everything wrong that a server can do."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import socketserver
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qmlstudio.chem.catalogue import _http
from qmlstudio.chem.catalogue import download as engine
from qmlstudio.chem.catalogue.download import DownloadError, OfflineError, Patience, download
from qmlstudio.chem.catalogue.locks import file_lock
from qmlstudio.chem.catalogue.model import Checksum, RemoteFile
from qmlstudio.chem.catalogue.records import is_here, part_path, read_record, record_path, verify
from qmlstudio.progress import Cancelled, Progress

CONTENT = bytes(range(256)) * 2000 + b"the end"
QUICK = Patience(connect=2.0, stall=0.4, attempts=3, wait=0.01, longest=0.5)
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())
MD5 = Checksum("md5", hashlib.md5(CONTENT).hexdigest())


class _Handler(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT, as the behaviour of its path says."""

    server: Host

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        with contextlib.suppress(ConnectionError):
            self.server.behaviour(self)

    @property
    def start(self) -> int:
        """First byte asked for, 0 when the validator says that the file is another one."""
        span = self.headers.get("Range", "")
        valid = self.headers.get("If-Range", self.server.etag) == self.server.etag
        return int(span.removeprefix("bytes=").partition("-")[0]) if span and valid else 0

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, content: bytes = b"", most: int | None = None, ranges: bool = True) -> None:
        """Properly, but for at most `most` bytes."""
        content = content or self.server.content
        start = self.start if ranges else 0
        if start >= len(content) and start:
            self.head(416, 0, Content_Range=f"bytes */{len(content)}")
            return
        body = content[start:]
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, len(body), ETag=self.server.etag, Content_Range=span)
        else:
            self.head(200, len(body), ETag=self.server.etag)
        self.wfile.write(body if most is None else body[:most])
        self.close_connection = True


class Host(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour: Callable[[_Handler], object] = _Handler.send
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.content = CONTENT
        self.etag = '"one"'
        self.stopping = threading.Event()

    def url(self, path: str = "/data.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def file(self, *checksums: Checksum, size: int | None = None, path: str = "/data.bin") -> RemoteFile:
        return RemoteFile(name="data.bin", url=self.url(path), size=size, checksums=checksums)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(engine, "GOOD_BYTES", 10**9)
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.stopping.set()
        server.shutdown()
        thread.join()


def fetch(file: RemoteFile, folder: Path, patience: Patience = QUICK, **details: Any) -> bytes:
    return download(file, folder, patience=patience, **details).read_bytes()


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_whole_file_checked_recorded_and_fetched_once(host: Host, tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    progress = Progress(report=lambda fraction, text: seen.append((fraction, text)))
    file = host.file(MD5, SHA256, size=len(CONTENT))
    assert fetch(file, tmp_path / "new" / "folder", progress=progress) == CONTENT
    folder = tmp_path / "new" / "folder"
    assert names(folder) == {"data.bin", ".data.bin.record.json"}
    record = read_record(folder / "data.bin")
    assert record is not None
    assert (record.sha256, record.size, record.verified) == (SHA256.hex, len(CONTENT), "md5 sha256")
    assert seen[-1][0] == 1.0
    assert [f for f, _ in seen] == sorted(f for f, _ in seen)
    assert host.requests[0][1]["User-Agent"].startswith("qmlstudio/")
    assert host.requests[0][1]["Accept-Encoding"] == "identity"
    assert fetch(file, folder) == CONTENT
    assert len(host.requests) == 1, "what is here is not fetched again"
    assert verify(folder / "data.bin", file) == "MD5 and SHA-256 as published"


def test_goes_on_after_a_cut(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.send(most=200_000)
    assert fetch(host.file(size=len(CONTENT)), tmp_path) == CONTENT
    assert [h.get("Range") for _, h in host.requests] == [None, "bytes=200000-", "bytes=400000-"]
    assert [h.get("If-Range") for _, h in host.requests] == [None, '"one"', '"one"']


def test_gives_up_and_keeps_the_part_then_goes_on(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.send(most=100_000)
    with pytest.raises(DownloadError, match=r"ended at 300 kB of 512 kB, 3 times in a row.*300 kB that are here stay"):
        fetch(host.file(MD5), tmp_path)
    assert part_path(tmp_path / "data.bin").stat().st_size == 300_000
    assert not (tmp_path / "data.bin").exists()
    host.behaviour = _Handler.send
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert host.requests[-1][1]["Range"] == "bytes=300000-"


def test_much_progress_is_no_failure(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GOOD_BYTES", 50_000)
    host.behaviour = lambda h: h.send(most=60_000)
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert len(host.requests) == -(-len(CONTENT) // 60_000) > QUICK.attempts


def test_host_without_ranges_starts_from_the_beginning(host: Host, tmp_path: Path) -> None:
    mosts = iter((200_000, None))
    host.behaviour = lambda h: h.send(most=next(mosts), ranges=False)
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert host.requests[1][1]["Range"] == "bytes=200000-"


def test_changed_file_is_never_mixed(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.send(most=200_000)
    with pytest.raises(DownloadError):
        fetch(host.file(), tmp_path, Patience(attempts=1))
    host.content, host.etag, host.behaviour = CONTENT[::-1], '"two"', _Handler.send
    assert fetch(host.file(), tmp_path) == CONTENT[::-1]


def test_part_without_validator_is_not_trusted(host: Host, tmp_path: Path) -> None:
    host.etag = ""
    host.behaviour = lambda h: h.send(most=200_000)
    with pytest.raises(DownloadError):
        fetch(host.file(), tmp_path, Patience(attempts=1))
    host.behaviour = _Handler.send
    assert fetch(host.file(), tmp_path) == CONTENT
    assert "Range" not in host.requests[-1][1]


@pytest.mark.parametrize(
    "sidecar", ["", "{", "[]", '{"url": 1}', '{"url": "http://elsewhere", "etag": "", "total": 1}']
)
def test_part_of_unknown_origin_is_not_trusted(host: Host, tmp_path: Path, sidecar: str) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"something else")
    (tmp_path / "data.bin.part.json").write_text(sidecar)
    assert fetch(host.file(), tmp_path) == CONTENT


def test_wrong_part_is_found_by_the_checksum(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.send(most=200_000)
    with pytest.raises(DownloadError):
        fetch(host.file(MD5), tmp_path, Patience(attempts=1))
    part = part_path(tmp_path / "data.bin")
    part.write_bytes(b"x" * part.stat().st_size)
    host.behaviour = _Handler.send
    with pytest.raises(
        DownloadError, match=r"the MD5 of what came from 127\.0\.0\.1 is not the published one.*removed"
    ):
        fetch(host.file(MD5), tmp_path)
    assert names(tmp_path) == set()
    assert fetch(host.file(MD5), tmp_path) == CONTENT


def test_corrupt_content_is_removed(host: Host, tmp_path: Path) -> None:
    host.content = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadError, match="SHA-256"):
        fetch(host.file(SHA256, size=len(CONTENT)), tmp_path)
    assert names(tmp_path) == set()


def test_other_size_is_refused_before_anything_is_read(host: Host, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="offers 512,007 bytes instead of the 99 published"):
        fetch(host.file(MD5, size=99), tmp_path)
    assert names(tmp_path) == set()
    assert len(host.requests) == 1


def test_length_too_small(host: Host, tmp_path: Path) -> None:
    def lie(handler: _Handler) -> None:
        handler.head(200, 1000)
        handler.wfile.write(CONTENT)

    host.behaviour = lie
    with pytest.raises(DownloadError, match="MD5"):
        fetch(host.file(MD5), tmp_path)
    assert names(tmp_path) == set()


def test_length_too_large(host: Host, tmp_path: Path) -> None:
    def lie(handler: _Handler) -> None:
        if handler.start and honest:
            handler.send()
            return
        handler.head(200, len(CONTENT) + 500, ETag=host.etag)
        handler.wfile.write(CONTENT)
        handler.close_connection = True

    host.behaviour, honest = lie, False
    with pytest.raises(DownloadError, match="ended at 512 kB of 513 kB, 3 times in a row"):
        fetch(host.file(), tmp_path)
    assert not (tmp_path / "data.bin").exists()
    honest = True
    assert fetch(host.file(), tmp_path) == CONTENT, "asked for the rest, it says that there is none"


def test_length_unknown(host: Host, tmp_path: Path) -> None:
    def chunks(handler: _Handler) -> None:
        handler.head(200, None)
        handler.wfile.write(CONTENT)
        handler.close_connection = True

    host.behaviour = chunks
    assert fetch(host.file(MD5), tmp_path) == CONTENT


def test_broken_chunks(host: Host, tmp_path: Path) -> None:
    def chunks(handler: _Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.head(200, None, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n" % 1000 + CONTENT[:1000] + b"\r\n%x\r\n" % 1000 + CONTENT[:10])
        handler.close_connection = True

    host.behaviour = chunks
    with pytest.raises(DownloadError, match="broke"):
        fetch(host.file(MD5), tmp_path)


def test_empty_file_is_none(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.head(200, 0)
    with pytest.raises(DownloadError, match="empty"):
        fetch(host.file(), tmp_path)
    assert names(tmp_path) == set()


def test_stall_is_noticed_and_gone_on_from(host: Host, tmp_path: Path) -> None:
    def stall(handler: _Handler) -> None:
        if len(host.requests) > 1:
            handler.send()
            return
        handler.head(200, len(CONTENT), ETag=host.etag)
        handler.wfile.write(CONTENT[:150_000])
        handler.wfile.flush()
        host.stopping.wait(20)

    host.behaviour = stall
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert host.requests[1][1]["Range"] == "bytes=150000-"


def test_stall_for_ever(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: host.stopping.wait(20)
    with pytest.raises(DownloadError, match=r"has sent nothing for 0\.1 s, 2 times in a row"):
        fetch(host.file(), tmp_path, Patience(stall=0.1, attempts=2, wait=0.01))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_passing_troubles_are_waited_out(host: Host, tmp_path: Path, status: int) -> None:
    host.behaviour = lambda h: h.send() if len(host.requests) > 2 else h.head(status, 0, Retry_After="0")
    assert fetch(host.file(MD5), tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "no longer there"), (410, "no longer there"), (403, "nothing was changed"), (202, "browser"), (501, "501")],
)
def test_refusals_are_not_repeated(host: Host, tmp_path: Path, status: int, words: str) -> None:
    host.behaviour = lambda h: h.head(status, 0)
    with pytest.raises(DownloadError, match=f"answered {status}.*{words}|{words}"):
        fetch(host.file(), tmp_path)
    assert len(host.requests) == 1
    assert not (tmp_path / "data.bin").exists()


def test_long_waits_are_told_instead_of_waited(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.head(429, 0, Retry_After="7200")
    with pytest.raises(DownloadError, match=r"429 Too Many Requests.*come back in 2\.0 h"):
        fetch(host.file(), tmp_path)
    host.behaviour = lambda h: h.head(503, 0, Retry_After="Fri, 31 Dec 2199 23:59:59 GMT")
    with pytest.raises(DownloadError, match="come back in"):
        fetch(host.file(), tmp_path)
    assert len(host.requests) == 2


def test_wait_is_the_servers(host: Host) -> None:
    assert _http._retry_after("17") == 17.0
    assert _http._retry_after("Mon, 01 Jan 2001 00:00:00 GMT") == 0.0
    assert _http._retry_after("soon") is None
    assert _http._retry_after("") is None


def test_everything_was_here_already(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.head(200, None, ETag=host.etag) or h.wfile.write(CONTENT)
    fetch(host.file(), tmp_path)
    (tmp_path / "data.bin").rename(tmp_path / "data.bin.part")
    record_path(tmp_path / "data.bin").unlink()
    sidecar = {"url": host.url(), "etag": host.etag, "modified": "", "total": None}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(sidecar))
    host.behaviour = _Handler.send
    assert fetch(host.file(), tmp_path) == CONTENT
    assert host.requests[-1][1]["Range"] == f"bytes={len(CONTENT)}-"


def test_unknown_part_begins_anew(host: Host, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    sidecar = {"url": host.url(), "etag": host.etag, "modified": "", "total": None}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(sidecar))
    assert fetch(host.file(MD5), tmp_path) == CONTENT


def test_wrong_range_begins_anew(host: Host, tmp_path: Path) -> None:
    def behave(handler: _Handler) -> None:
        if len(host.requests) == 1:
            handler.send(most=200_000)
        elif len(host.requests) == 2:
            handler.head(206, 5, ETag=host.etag, Content_Range=f"bytes 7-11/{len(CONTENT)}")
            handler.wfile.write(CONTENT[7:12])
        else:
            handler.send()

    host.behaviour = behave
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert [h.get("Range") for _, h in host.requests] == [None, "bytes=200000-", None]


def test_redirections(host: Host, tmp_path: Path) -> None:
    def behave(handler: _Handler) -> None:
        if handler.path == "/data.bin":
            handler.head(302, 0, Location="/other")
        else:
            handler.send(most=300_000)

    host.behaviour = behave
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert [(p, h.get("Range")) for p, h in host.requests if p == "/other"] == [
        ("/other", None),
        ("/other", "bytes=300000-"),
    ]


def test_redirections_in_a_loop(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.head(302, 0, Location="/b" if h.path == "/data.bin" else "/data.bin")
    with pytest.raises(DownloadError, match="without end"):
        fetch(host.file(), tmp_path)
    assert len(host.requests) < 15


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://example.org/x"])
def test_redirections_that_lead_astray(host: Host, tmp_path: Path, target: str) -> None:
    host.behaviour = lambda h: h.head(302, 0, Location=target)
    with pytest.raises(DownloadError, match="cannot be trusted"):
        fetch(host.file(), tmp_path)


def test_https_is_not_left() -> None:
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(DownloadError, match=r"sends on to http://example\.org, which cannot be trusted"):
        _http._Redirects().http_error_301(request, io.BytesIO(), 301, "", {"location": "http://example.org/a"})


def test_only_http_and_https(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(DownloadError, match="unknown url type"):
        fetch(RemoteFile(name="a", url=secret.as_uri()), tmp_path / "to")


def test_nobody_there_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = RemoteFile(name="data.bin", url=f"http://127.0.0.1:{port}/data.bin")
    patience = Patience(wait=60.0)
    with pytest.raises(OfflineError, match=r"no connection to 127\.0\.0\.1 → nothing was changed"):
        download(file, tmp_path, patience=patience)
    assert names(tmp_path) == set()


def test_no_names_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OfflineError, match=r"no connection to data\.example\.org"):
        download(RemoteFile(name="a", url="https://data.example.org/a"), tmp_path)


def test_proxies_that_refuse_say_why(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", host.url(""))
    with pytest.raises(OfflineError, match=r"no connection to data\.example\.org \(Tunnel connection failed: 501"):
        download(RemoteFile(name="a", url="https://data.example.org/a"), tmp_path)


def test_names_that_are_looked_up_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(30) and [])
    with pytest.raises(OfflineError, match="no connection"):
        download(RemoteFile(name="a", url="https://data.example.org/a"), tmp_path, patience=Patience(connect=-0.9))
    done.set()


def test_line_lost_on_the_way_is_tried_again(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.behaviour = lambda h: h.send(most=200_000)
    real, calls = socket.create_connection, [0]

    def flaky(*args: Any, **kwargs: Any) -> socket.socket:
        calls[0] += 1
        if calls[0] == 2:
            raise ConnectionRefusedError(111, "Connection refused")
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", flaky)
    assert fetch(host.file(MD5), tmp_path, Patience(attempts=5, wait=0.01)) == CONTENT
    assert calls[0] == 4


def test_cancel_is_answered_and_keeps_the_part(host: Host, tmp_path: Path) -> None:
    def trickle(handler: _Handler) -> None:
        if handler.start:
            handler.send()
            return
        handler.head(200, len(CONTENT), ETag=host.etag)
        handler.wfile.write(CONTENT[:50_000])
        handler.wfile.flush()
        host.stopping.wait(20)

    host.behaviour = trickle
    part, cancelled, left = part_path(tmp_path / "data.bin"), threading.Event(), [0.0]

    def run() -> None:
        with pytest.raises(Cancelled):
            fetch(host.file(MD5), tmp_path, Patience(), progress=Progress(is_cancelled=cancelled.is_set))
        left[0] = time.monotonic()

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size == 50_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    cancelled.set()
    thread.join(5)
    assert not thread.is_alive(), "long before the stall is over"
    assert part.stat().st_size == 50_000
    assert fetch(host.file(MD5), tmp_path) == CONTENT
    assert host.requests[-1][1]["Range"] == "bytes=50000-"


def test_cancel_while_waiting_for_the_next_attempt(host: Host, tmp_path: Path) -> None:
    host.behaviour = lambda h: h.head(503, 0, Retry_After="100")
    cancelled = threading.Event()
    texts: list[str] = []

    def report(_fraction: float, text: str) -> None:
        texts.append(text)
        if "trying again" in text:
            cancelled.set()

    with pytest.raises(Cancelled):
        fetch(host.file(), tmp_path, Patience(), progress=Progress(report, cancelled.is_set))
    assert "503 Service Unavailable; trying again in 100 s" in texts[-1]


def test_no_room(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=engine.MARGIN + 1000))
    with pytest.raises(DownloadError, match=r"512 kB more are needed in .* are free → make room"):
        fetch(host.file(MD5), tmp_path)
    assert not part_path(tmp_path / "data.bin").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the super-user writes everywhere")
def test_folder_that_cannot_be_written(host: Host, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DownloadError, match="choose another folder"):
            fetch(host.file(), tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_folder_that_is_a_file(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="choose another folder"):
        fetch(host.file(), tmp_path / "file")


def test_first_download_is_trusted_and_then_remembered(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    fetch(host.file(), tmp_path)
    record = read_record(path)
    assert record is not None
    assert record.verified == ""
    assert record.sha256 == SHA256.hex
    assert verify(path, host.file()) == "SHA-256 as at its first download"
    path.unlink()
    host.content = CONTENT[::-1]
    with pytest.raises(DownloadError, match="not what came the first time"):
        fetch(host.file(), tmp_path)
    assert names(tmp_path) == {".data.bin.record.json"}
    record_path(path).unlink()
    assert fetch(host.file(), tmp_path) == CONTENT[::-1]


def test_file_that_came_by_other_ways(host: Host, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(CONTENT)
    assert not is_here(tmp_path / "data.bin", host.file(MD5))
    assert fetch(host.file(MD5, size=len(CONTENT)), tmp_path) == CONTENT
    assert host.requests == []
    assert is_here(tmp_path / "data.bin", host.file(MD5))
    (tmp_path / "data.bin").write_bytes(b"mine")
    for file in (host.file(MD5), host.file(size=3), host.file()):
        with pytest.raises(DownloadError, match="another file of that name"):
            fetch(file, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"


def test_verify_finds_what_was_changed(host: Host, tmp_path: Path) -> None:
    path = download(host.file(MD5), tmp_path, patience=QUICK)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DownloadError, match="its MD5 is not"):
        verify(path, host.file(MD5))
    with pytest.raises(DownloadError, match="it was changed"):
        verify(path, host.file())
    path.unlink()
    with pytest.raises(DownloadError, match="No such file"):
        verify(path, host.file())
    path.write_bytes(b"x")
    record_path(path).write_text("{}")
    assert verify(path, host.file()) == "no checksum is published"


def test_two_at_a_time_fetch_once(host: Host, tmp_path: Path) -> None:
    first, go_on = threading.Event(), threading.Event()

    def slow(handler: _Handler) -> None:
        first.set()
        assert go_on.wait(10)
        handler.send()

    host.behaviour = slow
    found: list[bytes] = []
    texts: list[str] = []

    def second(_fraction: float, text: str) -> None:
        texts.append(text)
        go_on.set()

    one = threading.Thread(target=lambda: found.append(fetch(host.file(MD5), tmp_path, Patience())))
    one.start()
    assert first.wait(10)
    found.append(fetch(host.file(MD5), tmp_path, Patience(), progress=Progress(second)))
    one.join(10)
    assert found == [CONTENT, CONTENT]
    assert len(host.requests) == 1
    assert "another download is under way" in texts[0]
    assert names(tmp_path) == {"data.bin", ".data.bin.record.json"}


def test_lock_goes_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("left behind by a crash")
    with file_lock(path), pytest.raises(Cancelled), file_lock(path, Progress(is_cancelled=lambda: True)):
        raise AssertionError("held twice")
    with file_lock(path):
        pass


def test_proxy_of_the_environment_is_asked(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    file = RemoteFile(name="data.bin", url="http://data.example.org/data.bin", checksums=(MD5,))
    assert fetch(file, tmp_path) == CONTENT
    assert host.requests[0][0] == "http://data.example.org/data.bin"


def test_rate_and_time_left() -> None:
    rate = engine._Rate([(time.monotonic() - 2.0, 0)])
    assert rate.at(2_000_000) == pytest.approx(1e6, rel=0.1)
    assert engine._Rate().at(5) == 0.0
    assert engine._duration(30) == "30 s"
    assert engine._duration(600) == "10 min"
    assert engine._duration(7200) == "2.0 h"
