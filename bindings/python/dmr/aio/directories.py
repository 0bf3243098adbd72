"""The directory in use: verified, compared with what was seen before, kept across restarts."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from dmr import DIRECTORY_LIMIT, Directory, DirectoryTrust, DmrError, Pin, TrustError

from .errors import StateError

_log = logging.getLogger("dmr.aio")
_FILE = "directory.jws"


class Directories:
    """The trust in directories, and where the last good one is kept.

    The files are those of ``dmr-agent``: ``directory.jws``, and ``fork-*.jws`` as evidence of equivocation. One agent
    process for each state directory. All methods block for a disk, and for about 30 µs for each key of a directory.
    """

    def __init__(self, pin: Pin, state: str | os.PathLike[str] | None) -> None:
        self._trust = DirectoryTrust(pin)
        self._state = None if state is None else Path(state)
        self._unkept = False
        if self._state is None:
            return
        file = self._state / _FILE
        try:
            self._state.mkdir(parents=True, exist_ok=True)
            kept = _read(file)
            if kept is not None:
                self._trust.restore(kept)
        except (OSError, DmrError) as error:
            raise StateError(f"the kept directory {file}: {error}") from error
        self._restore_fork()

    def _restore_fork(self) -> None:
        """A fork of the directory in use that was seen before a restart still stops sealing: only a newer directory, or
        an operator who takes the evidence away, ends that."""
        current = self.current
        if self._state is None or current is None:
            return
        file = self._state / _fork_file(current.revision, "other")
        try:
            other = _read(file)
        except OSError as error:
            raise StateError(f"{file}: {error}") from error
        if other is None:
            return
        try:
            self._trust.offer(other)
        except TrustError as error:
            if error.name == "trust.forked":
                _log.error("EQUIVOCATION, seen before a restart: nothing is sealed until a newer directory (%s)", file)
                return
        _log.warning("kept evidence is of no fork: %s", file)

    @property
    def current(self) -> Directory | None:
        """The directory in use."""
        return self._trust.current

    def offer(self, document: bytes) -> bool:
        """Judges an offered document, and keeps it when it is adopted. Whether the directory in use has changed, be it
        only that it is marked as forked."""
        before = self.current
        try:
            self._trust.offer(document)
        except DmrError as error:
            if error.name != "trust.forked":
                _log.error("an offered directory is refused; the one in use stays: %s", error)
                return False
            _log.error("EQUIVOCATION: %s; both documents are kept where there is a state directory", error)
            self._keep_evidence()
            return True
        current = self.current
        if current is None or (before is not None and bytes(current) == bytes(before)):
            return False
        _log.info("directory revision %d is in use", current.revision)
        self._unkept = not self._keep(_FILE, bytes(current))
        return True

    def keep_again(self) -> None:
        """Writes the directory in use where that failed before."""
        current = self.current
        if self._unkept and current is not None:
            self._unkept = not self._keep(_FILE, bytes(current))

    def _keep_evidence(self) -> None:
        fork, current = self._trust.fork, self.current
        if fork is not None and current is not None:
            ours, other = fork
            self._keep(_fork_file(current.revision, "ours"), ours)
            self._keep(_fork_file(current.revision, "other"), other)

    def _keep(self, name: str, document: bytes) -> bool:
        """A document that cannot be written is used all the same: it may revoke a key. ``False``: it was not written, and
        would be unknown after a restart."""
        if self._state is None:
            return True
        try:
            _replace(self._state / name, document)
        except OSError as error:
            _log.error("the directory cannot be kept; after a restart an older one would be accepted: %s", error)
            return False
        return True


def _fork_file(revision: int, side: str) -> str:
    return f"fork-{revision}-{side}.jws"


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as open_file:
            document = open_file.read(DIRECTORY_LIMIT + 1)
    except FileNotFoundError:
        return None
    if len(document) > DIRECTORY_LIMIT:
        raise OSError(f"longer than {DIRECTORY_LIMIT} bytes")
    return document


def _replace(file: Path, document: bytes) -> None:
    """After a crash the file has the old content or the new, never a mixture."""
    new = file.with_name(f".{file.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as open_file:
        open_file.write(document)
        open_file.flush()
        os.fsync(open_file.fileno())
    os.replace(new, file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
