"""Section 1 and 2 of docs/protocol.md: identifiers, bounds, and the binary encoding, read strictly."""

import hashlib
import re
import struct

MIB = 1 << 20
CONTENT, ENVELOPE, HEADER, FRAME, LOGIN_FRAME = MIB, 1310720, 8192, 1314816, 4096
RECIPIENTS, RECEIPTS = 64, 64
SKEW = 120_000
LAST = 2**64 - 1
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Refused(Exception):
    """What the text says must be refused. `step` is that of section 5, for envelopes."""

    def __init__(self, why, step=None):
        super().__init__(why)
        self.step = step


def demand(holds, why, step=None):
    if not holds:
        raise Refused(why, step)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def plus(time, milliseconds):
    """Adding to a time stops at the largest."""
    return min(time + milliseconds, LAST)


class Reader:
    """Reads one value from bytes."""

    def __init__(self, data, limit):
        demand(len(data) <= limit, "longer than it may be")
        self.data, self.at = bytes(data), 0

    def take(self, count):
        demand(count <= len(self.data) - self.at, "a length beyond the end of the input")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, bits):
        first = self.take(1)[0]
        if first <= 250:
            return first
        demand(first <= 0xFD, "bytes that begin no integer")
        size = {0xFB: 2, 0xFC: 4, 0xFD: 8}[first]
        value = int.from_bytes(self.take(size), "little")
        demand(value > {2: 250, 4: 0xFFFF, 8: 0xFFFFFFFF}[size], "an integer written longer than needed")
        demand(value < 1 << bits, "an integer of too many bits")
        return value

    def boolean(self):
        byte = self.take(1)[0]
        demand(byte <= 1, "neither yes nor no")
        return byte == 1

    def bytes(self):
        return self.take(self.integer(64))

    def text(self):
        try:
            return self.bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("text that is not UTF-8") from None

    def name(self):
        text = self.text()
        demand(NAME.fullmatch(text), "not a name")
        return text

    def uuid(self):
        identifier = self.take(16)
        demand(any(identifier), "the nil UUID")
        return identifier

    def optional(self, read):
        return read() if self.boolean() else None

    def list(self, read, least=0, most=None):
        count = self.integer(64)
        demand(least <= count and (most is None or count <= most), "too few or too many members")
        demand(count <= len(self.data) - self.at, "a length beyond the end of the input")
        return [read() for _ in range(count)]

    def choice(self, *variants):
        number = self.integer(32)
        demand(number < len(variants), "an unknown variant")
        return number, variants[number]()

    def end(self):
        demand(self.at == len(self.data), "bytes after the value")


def integer(value):
    if value <= 250:
        return bytes([value])
    for bits, first, form in ((16, 0xFB, "<H"), (32, 0xFC, "<I"), (64, 0xFD, "<Q")):
        if value < 1 << bits:
            return bytes([first]) + struct.pack(form, value)
    raise Refused("an integer of too many bits")


def byte_string(value):
    return integer(len(value)) + value


def text(value):
    return byte_string(value.encode("utf-8"))


def optional(value, write=bytes):
    return b"\0" if value is None else b"\1" + write(value)


def listed(members):
    return integer(len(members)) + b"".join(members)
