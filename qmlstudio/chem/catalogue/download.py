"""Fetching a file so that it can be trusted: resumed, checked, cancelled at once, never half there under its name."""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from qmlstudio.chem.catalogue._http import POLL_SECONDS, Answer, Fetcher, Unreachable
from qmlstudio.chem.catalogue.locks import file_lock
from qmlstudio.chem.catalogue.model import DownloadError, OfflineError, Patience, RemoteFile, size_text
from qmlstudio.chem.catalogue.records import Hashes, Record, is_here, part_path, read_record, record_path, write_record
from qmlstudio.chem.errors import Problem
from qmlstudio.progress import SILENT, Progress

__all__ = ["DownloadError", "OfflineError", "Patience", "download"]

MARGIN = 64 * 10**6
"""Bytes that must stay free on the disk."""
GOOD_BYTES = 8 * 10**6
"""An attempt that brought so much was no failure: the count of failures begins anew."""
PATIENCE = Patience()


def download(
    file: RemoteFile,
    folder: Path,
    progress: Progress = SILENT,
    patience: Patience = PATIENCE,
) -> Path:
    """Fetch a file into a folder, going on where an earlier attempt was cut off.

    Parameters
    ----------
    file : RemoteFile
    folder : Path
        Made if it is not there. A file of that name which came there by other ways is taken if it is the right one.
    progress : Progress
        Receives the fraction of bytes and a text with bytes, rate and time left. A cancel keeps what is there for
        the next time.
    patience : Patience

    Returns
    -------
    Path
        The file under its name, complete and checked. Nothing is fetched when it is there already.

    Raises
    ------
    OfflineError
        No connection to the host.
    DownloadError
        The host refuses, the disk is full, or what came is not what it should be (then it was removed).
    Cancelled
    """
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(path.with_name(f".{path.name}.lock"), progress, f"{file.name}: another download is under way"):
            if not is_here(path, file):
                _Download(file, path, progress, patience).run()
    except OSError as error:
        raise _disk_error(error, path) from error
    progress(1.0, file.name)
    return path


@dataclass
class _Validators:
    """What identifies the version of a file at its host, kept beside the part."""

    url: str = ""
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def if_range(self) -> str:
        """For the header: only a strong validator says that the bytes are the same."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    @classmethod
    def read(cls, path: Path) -> _Validators:
        try:
            found = json.loads(path.read_text("utf-8"))
            total = found["total"]
            return cls(str(found["url"]), str(found["etag"]), str(found["modified"]), total and int(total))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(vars(self)), "utf-8")


class _Retry(Exception):
    """This attempt failed in a way that may pass, after `wait` seconds if the host has said so."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Download:
    """One file on its way."""

    def __init__(self, file: RemoteFile, path: Path, progress: Progress, patience: Patience) -> None:
        self.file = file
        self.path = path
        self.part = part_path(path)
        self.sidecar = path.with_name(path.name + ".part.json")
        self.progress = progress
        self.patience = patience
        self.host = urllib.parse.urlsplit(file.url).hostname or file.url
        self.hashes = Hashes(file)
        self.done = 0
        self.total: int | None = file.size
        self._stream: BinaryIO | None = None
        self._rate = _Rate()
        self._told = -1.0

    # -- the whole

    def run(self) -> None:
        if self._adopt():
            return
        self.progress(0.0, f"{self.file.name}: asking {self.host}")
        failures, first = 0, True
        self._take_up()
        while not self._is_complete():
            before = self.done
            try:
                self._attempt(first)
            except _Retry as error:
                failures = 1 if self.done - before >= GOOD_BYTES else failures + 1
                if failures >= self.patience.attempts:
                    raise self._error(f"{error}, {failures} times in a row", self._kept()) from error
                wait = self.patience.wait * 2 ** (failures - 1) if error.wait is None else error.wait
                self._pause(min(wait, self.patience.longest), str(error))
            first = False
        self._finish()

    def _adopt(self) -> bool:
        """Take a file that lies there already, without a record of how it came."""
        if not self.path.exists():
            return False
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            self.hashes.read(stream, size, self.progress, f"{self.file.name}: checking what is here")
        known = read_record(self.path)
        wrong = self.file.size not in (None, size) or self.hashes.differing(self.file) is not None
        if wrong or (known is not None and known.sha256 != self.hashes.sha256):
            text = "another file of that name is in its place"
            raise DownloadError(Problem(str(self.path), text, "move or remove it, then get it again"))
        self._record(size)
        return True

    def _take_up(self) -> None:
        """Go on from the part that is there, if it is known what it is a part of."""
        known = _Validators.read(self.sidecar)
        size = self.part.stat().st_size if self.part.exists() else 0
        usable = known.url == self.file.url and bool(known.if_range or self.file.checksums)
        self._restart(keep=bool(size) and usable and not (self.file.size is not None and size > self.file.size))
        if not self.part.exists():
            return
        with self.part.open("rb") as stream:
            self.hashes.read(stream, size, self.progress.part(0.0, 0.0), f"{self.file.name}: checking what is here")
        self.done = size
        self.total = self.file.size if self.file.size is not None else known.total

    def _restart(self, keep: bool = False) -> None:
        """From the beginning."""
        self._close()
        self.hashes = Hashes(self.file)
        self.done, self.total = 0, self.file.size
        if not keep:
            self.part.unlink(missing_ok=True)
            self.sidecar.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _is_complete(self) -> bool:
        return self.total is not None and self.done == self.total and self.part.exists()

    def _pause(self, seconds: float, why: str) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._report(f"{why}; trying again in {left:.0f} s")
            time.sleep(min(left, POLL_SECONDS))

    # -- one attempt

    def _attempt(self, first: bool) -> None:
        known = _Validators.read(self.sidecar)
        fetcher = Fetcher(self.file.url, self.done, known.if_range if self.done else "", self.patience)
        try:
            for event in fetcher.events(self.progress):
                if isinstance(event, bytes):
                    self._write(event)
                elif isinstance(event, Answer):
                    self._begin(event)
                elif self._judge(event, first):
                    return
        finally:
            fetcher.stop()
            self._close()
        if self.total is None:  # the length was never said, and the connection was closed in good order
            self.total = self.done
        if self.done < self.total:
            raise _Retry(f"the connection to {self.host} ended at {size_text(self.done)} of {size_text(self.total)}")

    def _begin(self, answer: Answer) -> None:
        """The headers are there: is it what was asked for?"""
        if answer.status not in (200, 206):
            self._refuse(answer)
        if answer.status == 206 and answer.start != self.done:
            self._restart()
            raise _Retry(f"{self.host} sent another part than the one asked for", 0.0)
        if answer.status == 200 and self.done:  # it ignores ranges, or has a new version
            self._restart()
        total = answer.total
        if total is not None and self.total is not None and total != self.total:
            expected = self.total
            self._restart()
            if self.file.size is None:
                raise _Retry(f"the file at {self.host} has changed", 0.0)
            text = f"{self.host} offers {total:,} bytes instead of the {expected:,} published"
            raise self._error(text, "the file was changed, or something else came in its place; nothing was kept")
        self.total = self.total if total is None else total
        self._need_room()
        _Validators(self.file.url, answer.etag, answer.modified, self.total).write(self.sidecar)
        self._stream = self.part.open("ab")

    def _write(self, data: bytes) -> None:
        assert self._stream is not None
        if self.total is not None and self.done + len(data) > self.total:
            self._restart()
            raise self._error(f"{self.host} sent more bytes than it had announced", "nothing was kept; try again")
        self._stream.write(data)
        self._stream.flush()
        self.hashes.update(data)
        self.done += len(data)
        self._report()

    def _judge(self, error: BaseException, first: bool) -> bool:
        """What ended an attempt: raises unless all is there (True)."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(error, urllib.error.HTTPError):
            return self._refuse(Answer.of(error))
        if isinstance(reason, DownloadError):
            raise reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise self._error(f"the certificate of {self.host} is not trusted: {reason.verify_message}", self._kept())
        if isinstance(reason, Unreachable):
            text = f"no connection to {self.host}" + (f" ({reason})" if str(reason) else "")
            if first:
                raise OfflineError(Problem(self.file.name, text, self._kept()))
            raise _Retry(text)
        if isinstance(reason, TimeoutError):
            raise _Retry(f"{self.host} has sent nothing for {self.patience.stall:g} s")
        if isinstance(reason, OSError | http.client.HTTPException):
            raise _Retry(f"the connection to {self.host} broke ({_words(reason)})")
        raise error

    def _refuse(self, answer: Answer) -> bool:
        """An answer other than the bytes: raises unless it says that all are here (True)."""
        status = answer.status
        if status == 416:
            if answer.total is not None and answer.total == self.done and self.file.size in (None, self.done):
                self.total = self.done  # the connection was lost after the last byte
                return True
            self._restart()
            raise _Retry(f"{self.host} does not know that part", 0.0)
        words = f"{self.host} answered {status} {http.client.responses.get(status, '')}".rstrip()
        if status in (408, 425, 429, 500, 502, 503, 504):
            wait = answer.retry_after
            if wait is None or wait <= self.patience.longest:
                raise _Retry(words, wait)
            raise self._error(words, f"it asks to come back in {_duration(wait)}; {self._kept()}")
        if status == 202:
            remedy = f"it wants to see a browser: fetch {self.file.url} with one, as {self.path}"
        elif 300 <= status < 400:
            remedy = f"it sends from one address to the next without end; {self._kept()}"
        elif status in (404, 410):
            remedy = f"the file is no longer there: look at the data set's home page; {self._kept()}"
        else:
            remedy = self._kept()
        raise self._error(words, remedy)

    # -- the end

    def _finish(self) -> None:
        if not self.done:
            self._restart()
            raise self._error(f"{self.host} sent an empty file", "try again; look at the data set's home page")
        wrong = self.hashes.differing(self.file)
        if wrong is not None:
            self._restart()
            text = f"the {wrong.kind} of what came from {self.host} is not the published one"
            raise self._error(text, "it was removed; try again, and if that does not help the file was changed")
        known = read_record(self.path)
        if known is not None and not self.file.checksums and known.sha256 != self.hashes.sha256:
            self._restart()
            text = f"what came from {self.host} is not what came the first time (SHA-256)"
            raise self._error(text, f"it was removed; to take it nevertheless, delete {record_path(self.path)}")
        os.replace(self.part, self.path)
        self._record(self.done)
        self.sidecar.unlink(missing_ok=True)

    def _record(self, size: int) -> None:
        verified = " ".join(c.algorithm for c in self.file.checksums)
        record = Record(self.file.url, size, self.hashes.sha256, verified, time.time())
        write_record(self.path, record)

    def _need_room(self) -> None:
        if self.total is None:
            return
        left, free = self.total - self.done, shutil.disk_usage(self.path.parent).free
        if left + MARGIN > free:
            text = f"{size_text(left)} more are needed in {self.path.parent}, {size_text(free)} are free"
            raise self._error(text, f"make room, or choose another folder; {self._kept()}")

    # -- words

    def _kept(self) -> str:
        if not self.done:
            return "nothing was changed"
        return f"the {size_text(self.done)} that are here stay for the next time"

    def _error(self, text: str, remedy: str) -> DownloadError:
        return DownloadError(Problem(self.file.name, text, remedy))

    def _report(self, what: str = "") -> None:
        now = time.monotonic()
        if now - self._told < POLL_SECONDS:
            self.progress.check()
            return
        self._told = now
        rate = self._rate.at(self.done)
        if not what:
            what = size_text(self.done) + (f" of {size_text(self.total)}" if self.total is not None else "")
            if rate:
                what += f", {size_text(int(rate))}/s"
                what += f", {_duration((self.total - self.done) / rate)} left" if self.total is not None else ""
        self.progress(min(self.done / self.total, 0.999) if self.total else 0.0, f"{self.file.name}: {what}")


@dataclass
class _Rate:
    """Bytes a second over the last seconds."""

    marks: list[tuple[float, int]] = field(default_factory=list)

    def at(self, done: int) -> float:
        now = time.monotonic()
        if not self.marks or now - self.marks[-1][0] >= 0.5 or done < self.marks[-1][1]:
            self.marks = [mark for mark in self.marks if now - mark[0] < 5.0 and mark[1] <= done]
            self.marks.append((now, done))
        start, first = self.marks[0]
        return (done - first) / (now - start) if now - start >= 1.0 else 0.0


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _disk_error(error: OSError, path: Path) -> DownloadError:
    place = str(error.filename or path)
    remedy = "make room, or choose another folder" if error.errno == errno.ENOSPC else "choose another folder"
    return DownloadError(Problem(place, error.strerror or str(error), f"{remedy}; what was fetched is kept"))


def _duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
