"""Links: WebSockets to a server, opened as ``docs/protocol.md`` says."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from dmr import FRAME_LIMIT

from .address import ServerAddress
from .tls import Tls, secure

_SUBPROTOCOL = "dmr.v1"
#: A frame travels in fragments of at most this many bytes, so that no buffer grows to the size of the largest frame.
_FRAGMENT = 4 << 10
#: Longest time for saying goodbye, in seconds.
_CLOSE_TIME = 2.0
#: How many addresses of one host are tried.
_ADDRESSES = 4

#: The link broke without a close.
LINK_LOST = 3009
#: The link could not be opened.
CONNECT_FAILED = 3010


class LinkError(ConnectionError):
    """A link could not be opened. Nothing is open then; another server is tried, with backoff."""


@dataclass(frozen=True)
class LinkSettings:
    """How links are opened. Times are in seconds."""

    #: Whom to trust for ``wss`` addresses. Default: the system's authorities.
    tls: Tls = field(default_factory=Tls)
    #: Whether plain ``ws`` may leave this machine. Default: no.
    allow_plain: bool = False
    #: For connecting, all addresses of the host together.
    connect_timeout: float = 5.0
    #: For the TLS handshake.
    tls_timeout: float = 5.0
    #: For the upgrade to a WebSocket.
    upgrade_timeout: float = 5.0


class Link:
    """An open link."""

    def __init__(self, connection: ClientConnection, binding: bytes | None, pump: asyncio.Task[None] | None) -> None:
        self._connection = connection
        self._pump = pump
        #: What a login over TLS is bound to, 32 bytes; ``None`` without TLS.
        self.binding = binding

    async def receive(self) -> bytes | int:
        """The next frame, or the reason for which the link is over."""
        try:
            frame = await self._connection.recv(decode=None)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else LINK_LOST
            return code if 3000 <= code < 4000 else LINK_LOST
        if isinstance(frame, str):
            await self._end(1003)
            return LINK_LOST
        return frame

    async def send(self, frame: bytes) -> bool:
        """Sends a frame. ``False``: the link is over."""
        try:
            if len(frame) <= _FRAGMENT:
                await self._connection.send(frame)
            else:
                await self._connection.send([frame[at : at + _FRAGMENT] for at in range(0, len(frame), _FRAGMENT)])
        except ConnectionClosed:
            return False
        return True

    async def close(self, reason: int) -> None:
        """Tells the server why the link ends, and ends it within 2 s."""
        await self._end(reason)

    async def _end(self, code: int) -> None:
        try:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._connection.close(code), _CLOSE_TIME)
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends the link at once."""
        self._connection.transport.abort()
        if self._pump is not None:
            self._pump.cancel()


async def open_link(address: ServerAddress, settings: LinkSettings) -> Link:
    """Opens a link.

    Raises:
        LinkError: says which step failed. Nothing is open then.
    """
    try:
        plain = await asyncio.wait_for(_connected(address, settings), settings.connect_timeout)
    except asyncio.TimeoutError:
        raise LinkError("no connection to the server in time") from None
    except (OSError, UnicodeError) as error:
        # A name that no DNS can have is a UnicodeError.
        raise LinkError(f"no connection to the server: {error}") from error
    binding: bytes | None = None
    pump: asyncio.Task[None] | None = None
    carrier = plain
    if address.secure:
        try:
            handshake = secure(plain, address.host, settings.tls)
            carrier, binding, pump = await asyncio.wait_for(handshake, settings.tls_timeout)
        except asyncio.TimeoutError:
            plain.close()
            raise LinkError("the server did not finish the TLS handshake in time") from None
        except Exception as error:
            raise LinkError(str(error)) from error
    try:
        connection = await _upgraded(address, carrier, settings)
    except BaseException as error:
        carrier.close()
        if pump is not None:
            pump.cancel()
        if isinstance(error, Exception):
            # A redirect, which is not followed, is a ValueError.
            raise LinkError(f"the upgrade to a WebSocket failed: {error or 'no answer in time'}") from error
        raise
    return Link(connection, binding, pump)


async def _upgraded(address: ServerAddress, carrier: socket.socket, settings: LinkSettings) -> ClientConnection:
    # TLS is in the carrier already, so what is opened over it is plain; the name in the request is the server's.
    uri = address.uri.replace("wss://", "ws://", 1)
    connection = await connect(
        uri,
        sock=carrier,
        subprotocols=[Subprotocol(_SUBPROTOCOL)],
        compression=None,
        proxy=None,
        user_agent_header=None,
        open_timeout=settings.upgrade_timeout,
        close_timeout=_CLOSE_TIME,
        # The session's heartbeat is the keepalive; pings of the server are answered.
        ping_interval=None,
        max_size=FRAME_LIMIT,
        max_queue=4,
    )
    if connection.subprotocol != _SUBPROTOCOL:
        connection.transport.abort()
        raise LinkError("the server does not speak dmr.v1")
    return connection


async def _connected(address: ServerAddress, settings: LinkSettings) -> socket.socket:
    """Connects to the first address that answers. Where plain links must stay on this machine, what counts is the
    address that the name resolved to, not the name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    if not address.secure and not settings.allow_plain:
        found = [entry for entry in found if _is_loopback(str(entry[4][0]))]
        if not found:
            raise LinkError(f"plain ws:// to {address.host} would leave this machine: use wss://, or allow_plain")
    last: OSError = LinkError(f"{address.host} has no address")
    share = settings.connect_timeout / max(1, min(len(found), _ADDRESSES))
    for family, kind, protocol, _, where in found[:_ADDRESSES]:
        plain = socket.socket(family, kind, protocol)
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.wait_for(loop.sock_connect(plain, where), share)
        except OSError as error:
            plain.close()
            last = error
        except asyncio.TimeoutError:
            plain.close()
            last = LinkError(f"{address.host} does not answer")
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    raise last


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
