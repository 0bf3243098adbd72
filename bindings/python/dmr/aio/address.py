"""Addresses of servers: ``[name=]ws://host[:port][/path]``, or ``wss``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dmr import CallError

PATH = "/v1/link"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_HOST = re.compile(r"[A-Za-z0-9._-]+\Z|\[[0-9A-Fa-f:.]+\]\Z")
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
_PATH = re.compile(r"/[A-Za-z0-9/._~%-]*\Z")


@dataclass(frozen=True)
class ServerAddress:
    """Where a server listens, and optionally which server must answer there."""

    #: The name that the server's challenge must bear; ``None``: any.
    name: str | None
    #: Whether the link runs over TLS.
    secure: bool
    #: A host name or an IP address, IPv6 without brackets.
    host: str
    #: The TCP port.
    port: int
    #: The path of the upgrade request.
    path: str

    @property
    def uri(self) -> str:
        """The address as the upgrade request needs it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.secure else 'ws'}://{host}:{self.port}{self.path}"

    def __str__(self) -> str:
        return self.uri if self.name is None else f"{self.name}={self.uri}"


def parse_address(text: str) -> ServerAddress:
    """The address that ``text`` names.

    Without a port: 80 for ``ws``, 443 for ``wss``. Without a path: ``/v1/link``.

    Raises:
        dmr.CallError: says which part is wrong.
    """
    name: str | None = None
    url = text
    before, equals, after = text.partition("=")
    if equals and ":" not in before:
        name, url = before, after
        if _NAME.match(name) is None:
            raise _wrong(text, "what stands before '=' is no name: 1 to 64 of a-z 0-9 . _ -")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("ws", "wss"):
        raise _wrong(text, "it does not begin with ws:// or wss://")
    secure = scheme == "wss"
    authority, slash, tail = rest.partition("/")
    path = slash + tail if tail else PATH
    host, port = authority, ""
    if authority.startswith("["):
        closing = authority.find("]") + 1
        host, port = authority[:closing], authority[closing:]
    elif ":" in authority:
        at = authority.index(":")
        host, port = authority[:at], authority[at:]
    if _HOST.match(host) is None or ".." in host or host.startswith("."):
        raise _wrong(text, "it names no host")
    if port and (_PORT.match(port[1:]) is None or int(port[1:]) > 65_535):
        raise _wrong(text, "the port is no number from 1 to 65535")
    if _PATH.match(path) is None:
        raise _wrong(text, "the path holds a query, a fragment or a character that is not allowed")
    number = int(port[1:]) if port else (443 if secure else 80)
    return ServerAddress(name, secure, host.strip("[]"), number, path)


def _wrong(text: str, why: str) -> CallError:
    return CallError.of("call.out-of-range", f"{text!r} is no address of a server: {why}")
