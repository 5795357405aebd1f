"""One request at a time, in a thread of its own, so that whoever waits for it can leave at any moment.

HTTP as of RFC 9110: ranges (section 14), If-Range (13.1.5), Retry-After (10.2.3).
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from qmlstudio import __version__
from qmlstudio.chem.catalogue.model import CHUNK, DownloadError, Patience
from qmlstudio.chem.errors import Problem
from qmlstudio.progress import Progress

POLL_SECONDS = 0.1
"""Longest wait between two looks at whether somebody has cancelled."""
USER_AGENT = f"qmlstudio/{__version__}"
"""Some hosts refuse requests that do not say what they come from."""


class Unreachable(Exception):
    """No connection came about."""


@dataclass(frozen=True)
class Answer:
    """Status and headers.

    Attributes
    ----------
    start, total : int or None
        First byte of what comes; bytes of the whole file.
    retry_after : float or None, seconds
    """

    status: int
    start: int = 0
    total: int | None = None
    etag: str = ""
    modified: str = ""
    retry_after: float | None = None

    @classmethod
    def of(cls, response: Any) -> Answer:
        headers = response.headers
        status = int(response.status)
        start, total = 0, None
        if status in (206, 416):
            span, _, whole = headers.get("Content-Range", "").removeprefix("bytes").strip().partition("/")
            total = int(whole) if whole.strip().isdecimal() else None
            begin = span.partition("-")[0].strip()
            start = int(begin) if begin.isdecimal() else -1
        elif status == 200:
            length = headers.get("Content-Length", "").strip()
            total = int(length) if length.isdecimal() else None
        later = _retry_after(headers.get("Retry-After", ""))
        return cls(status, start, total, headers.get("ETag", ""), headers.get("Last-Modified", ""), later)


class _Line:
    """The connection of a request, as far as there is one."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self._socket: socket.socket | None = None

    def open(self, connection: http.client.HTTPConnection, stall: float) -> None:
        self._socket = connection.sock
        self._socket.settimeout(stall)
        self.connected.set()

    def cut(self) -> None:
        """Whoever reads from it comes back at once."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class Fetcher:
    """A request in a thread of its own, which ends after :meth:`stop` (at the latest when the system lets it go)."""

    def __init__(self, url: str, start: int, if_range: str, patience: Patience) -> None:
        self._request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        if start:
            self._request.add_header("Range", f"bytes={start}-")
            if if_range:
                self._request.add_header("If-Range", if_range)
        self._patience = patience
        self._line = _Line()
        self._stopped = threading.Event()
        self._events: queue.Queue[bytes | Answer | BaseException | None] = queue.Queue(maxsize=16)
        self._thread = threading.Thread(target=self._run, name="qmlstudio-download", daemon=True)

    def events(self, progress: Progress) -> Iterator[bytes | Answer | BaseException]:
        """Headers, then bytes, then perhaps what went wrong. Asks `progress` meanwhile whether to go on."""
        began = time.monotonic()
        self._thread.start()
        while True:
            progress.check()
            try:
                event = self._events.get(timeout=POLL_SECONDS)
            except queue.Empty:
                # the look-up of a name takes as long as the system likes
                late = time.monotonic() - began > self._patience.connect + 1.0
                if self._line.connected.is_set() or not late:
                    continue
                event = Unreachable()
            if event is None:
                return
            yield event
            if isinstance(event, BaseException):
                return

    def stop(self) -> None:
        """Let go of it."""
        self._stopped.set()
        self._line.cut()

    def _put(self, event: bytes | Answer | BaseException | None) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._events.put(event, timeout=POLL_SECONDS)
                return

    def _run(self) -> None:
        try:
            with _opener(self._patience, self._line).open(self._request, timeout=self._patience.connect) as response:
                self._put(Answer.of(response))
                self._read(response)
            self._put(None)
        except urllib.error.HTTPError as error:
            with error:
                self._put(error)
        except BaseException as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            mine = isinstance(reason, OSError) and not isinstance(reason, ssl.SSLCertVerificationError)
            if mine and not self._line.connected.is_set():
                # what everybody knows needs no words; a proxy or a firewall may have some
                error = Unreachable("" if is_offline(reason) else str(reason))
            self._put(error)

    def _read(self, response: Any) -> None:
        """Hand on what comes, in pieces that are worth the while."""
        gathered = bytearray()
        try:
            # read1 gives what has come; read would wait until all of the chunk has
            while not self._stopped.is_set() and (data := response.read1(CHUNK)):
                gathered += data
                # whoever waits gets it now: the next piece may be long in coming
                if len(gathered) >= CHUNK or not self._events.full():
                    self._put(bytes(gathered))
                    gathered.clear()
        finally:  # also what came before the connection broke
            if gathered:
                self._put(bytes(gathered))


def _opener(patience: Patience, line: _Line) -> urllib.request.OpenerDirector:
    """Knows http and https, the environment's proxies, and redirections that do not leave https; nothing else."""

    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            line.open(self, patience.stall)

    class SecureConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            line.open(self, patience.stall)

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(Connection, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(SecureConnection, req, context=ssl.create_default_context())

    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        Http(),
        Https(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        director.add_handler(handler)
    return director


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https, from https to https only."""

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        old = urllib.parse.urlsplit(req.full_url)
        new = urllib.parse.urlsplit(urllib.parse.urljoin(req.full_url, headers.get("location") or ""))
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme != "https"):
            fp.close()
            text = f"{old.hostname} sends on to {new.scheme}://{new.netloc}, which cannot be trusted"
            raise DownloadError(Problem(req.full_url, text, "look at the data set's home page"))
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def is_offline(error: object) -> bool:
    """The name is not known, or nobody answers at the address."""
    if isinstance(error, socket.gaierror | ConnectionRefusedError | TimeoutError):
        return True
    unreachable = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
    return isinstance(error, OSError) and error.errno in unreachable


def _retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header: a number, or a date."""
    text = text.strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else None
    except ValueError:
        return None
