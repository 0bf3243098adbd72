"""The peer of tests/peers/README.md that knows docs/protocol.md and nothing of ours.

    python tests/specification/peer.py PIN-FILE DIRECTORY-FILE

The specification numbers the steps of opening and has no names for errors: this peer refuses with `error step.N`, and
with `error refused` where the text only says that nothing is sealed.
"""

import pathlib
import sys
import uuid

import documents
import envelope as envelopes
from encoding import Refused

LONGEST_LINE = 4 << 20


class Request(Exception):
    """What is no request of the protocol."""


def number(text):
    if not text.isascii() or not text.isdigit() or int(text) > 2**64 - 1:
        raise Request
    return int(text)


def unhex(text):
    try:
        return b"" if text == "-" else bytes.fromhex(text)
    except ValueError:
        raise Request from None


def shown(data):
    return data.hex() or "-"


class Peer:
    def __init__(self, pin, bundle):
        self.pin, self.bundle, self.known, self.key_files = documents.read_pin(pin), bundle, {}, {}

    def directory(self, now):
        """Verified at the time of use, once for each."""
        if now not in self.known:
            self.known = {now: documents.read_bundle(self.bundle, self.pin, now)}
        return self.known[now]

    def key_file(self, path):
        if path not in self.key_files:
            self.key_files[path] = documents.read_key_file(pathlib.Path(path).read_bytes())
        return self.key_files[path]

    def seal(self, path, now, expires, kind, recipients, content_type, body):
        people = [documents.uuid(recipient) for recipient in recipients.split(",")]
        message = envelopes.message_of(content_type, unhex(body))
        own, directory = self.key_file(path), self.directory(number(now))
        return envelopes.seal(message, own, directory, people, number(kind), number(now), number(expires)).hex()

    def open(self, path, now, envelope):
        own, directory = self.key_file(path), self.directory(number(now))
        opened = envelopes.open_envelope(unhex(envelope), own, directory, number(now))
        ids = (str(uuid.UUID(bytes=opened[which])) for which in ("id", "sender"))
        message = opened["message"]
        return " ".join([*ids, str(opened["kind"]), message["content_type"], shown(message["body"])])

    def answer(self, line):
        try:
            asked, *words = line.split(" ")
            if len(line) > LONGEST_LINE or (asked, len(words)) not in (("seal", 7), ("open", 3)):
                raise Request
            return "ok " + (self.seal(*words) if asked == "seal" else self.open(*words))
        except Request:
            return "error call.out-of-range"
        except Refused as refused:
            return f"error step.{refused.step}" if refused.step else "error refused"


def main():
    pin, bundle = (pathlib.Path(path).read_bytes() for path in sys.argv[1:])
    peer = Peer(pin, bundle)
    for line in sys.stdin:
        print(peer.answer(line.rstrip("\n")), flush=True)


if __name__ == "__main__":
    sys.exit(main())
