"""The peer in Python: seals and opens as it is asked, line by line. tests/peers/README.md is its protocol."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import dmr

MAX_LINE = 4 << 20


class Refused(Exception):
    """What is no request."""


def unhex(text: str) -> bytes:
    """The bytes of a word; a single hyphen is none."""
    return b"" if text == "-" else bytes.fromhex(text)


class Peer:
    """Keys are read when they are first named; the directory is verified at the time of use."""

    def __init__(self, pin: str, directory: str) -> None:
        self.pin = dmr.Pin.load(Path(pin).read_bytes())
        self.bundle = Path(directory).read_bytes()
        self.keys: dict[str, dmr.Keys] = {}

    def keys_in(self, path: str) -> dmr.Keys:
        """The keys of a key file."""
        if path not in self.keys:
            self.keys[path] = dmr.Keys.load(Path(path).read_bytes())
        return self.keys[path]

    def seal(self, key: str, now: str, expires: str, kind: str, recipients: str, content_type: str, body: str) -> str:
        """Answers with the envelope."""
        directory = dmr.Directory.verify(self.bundle, self.pin, now=int(now))
        envelope = dmr.seal(
            self.keys_in(key),
            directory,
            recipients.split(","),
            unhex(body),
            content_type=content_type,
            kind=int(kind),
            created=int(now),
            expires=int(expires),
        )
        return bytes(envelope).hex()

    def open(self, key: str, now: str, envelope: str) -> str:
        """Answers with what was in it."""
        directory = dmr.Directory.verify(self.bundle, self.pin, now=int(now))
        opened = dmr.open(self.keys_in(key), directory, unhex(envelope), now=int(now))
        body = opened.body.hex() or "-"
        return f"{opened.id} {opened.sender} {int(opened.kind)} {opened.content_type} {body}"

    def answer(self, line: bytes) -> str:
        """The answer to one line."""
        try:
            word, *arguments = line.decode().rstrip("\n").split(" ")
            asked: dict[str, tuple[int, Callable[..., str]]] = {"seal": (7, self.seal), "open": (3, self.open)}
            count, request = asked[word]
            if len(line) > MAX_LINE or len(arguments) != count:
                raise Refused
            return "ok " + request(*arguments)
        except dmr.DmrError as error:
            return f"error {error.name}"
        except (Refused, KeyError, ValueError, OverflowError, OSError):
            return "error call.out-of-range"


def lines() -> Callable[[], bytes]:
    """Reads a line at a time, of which no more is kept than says that it is too long."""

    def read() -> bytes:
        line = sys.stdin.buffer.readline(MAX_LINE + 1)
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = sys.stdin.buffer.readline(MAX_LINE)
        return line

    return read


def main() -> None:
    peer = Peer(sys.argv[1], sys.argv[2])
    for line in iter(lines(), b""):
        print(peer.answer(line), flush=True)


if __name__ == "__main__":
    main()
