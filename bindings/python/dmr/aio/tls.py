"""TLS for links, with the exporter that a login is bound to.

Python's own ``ssl`` module cannot export keying material (RFC 9266), without which a server that ends TLS itself
refuses a login: anybody in between could pass it on. So links run over OpenSSL through ``pyOpenSSL``, and
``service_identity`` (RFC 6125, RFC 9525) checks the server's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from dataclasses import dataclass

#: RFC 9266, section 3.
_LABEL = b"EXPORTER-Channel-Binding"
#: Bytes of the exporter.
BINDING = 32
#: Bytes that are moved at once, either way.
_CHUNK = 64 << 10
#: Longest time for the end of TLS, and for what is unsent then, in seconds.
_GOODBYE = 1.0


class TlsError(ConnectionError):
    """The server's certificate is not to be trusted, or TLS failed."""


@dataclass(frozen=True)
class Tls:
    """Whom to trust for ``wss`` addresses.

    TLS 1.3 only. The server's certificate must be valid for the host in its address.
    """

    #: A file of PEM certificates to trust instead of the system's: a private authority's.
    ca_file: str | os.PathLike[str] | None = None


async def secure(plain: socket.socket, host: str, tls: Tls) -> tuple[socket.socket, bytes, asyncio.Task[None]]:
    """Begins TLS on a connected socket.

    Returns a socket that carries the plain text, the exporter, and the task that moves bytes between the two: it ends
    with either side, and closes both.

    Raises:
        TlsError: the handshake failed, or the certificate is not for ``host``. ``plain`` is closed.
    """
    try:
        from OpenSSL import SSL
    except ImportError as error:
        plain.close()
        raise TlsError("wss:// needs pyOpenSSL: pip install 'dmr-sdk[aio]'") from error

    try:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_verify(SSL.VERIFY_PEER, _as_openssl_says)
        if tls.ca_file is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(os.fspath(tls.ca_file))
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if not _is_address(host):
            connection.set_tlsext_host_name(host.rstrip(".").encode("ascii"))
    except (SSL.Error, UnicodeError, OSError) as error:
        plain.close()
        raise TlsError(f"TLS cannot be set up: {error}") from error
    reader, writer = await asyncio.open_connection(sock=plain)
    try:
        await _handshake(connection, reader, writer)
        _check_name(connection, host)
        binding = connection.export_keying_material(_LABEL, BINDING, b"")
        inner, outer = socket.socketpair()
        try:
            inner_reader, inner_writer = await asyncio.open_connection(sock=inner)
        except BaseException:
            inner.close()
            outer.close()
            raise
    except BaseException:
        writer.transport.abort()
        raise
    outer.setblocking(False)
    pump = _Pump(connection, reader, writer, inner_reader, inner_writer)
    return outer, binding, asyncio.create_task(pump.run(), name="dmr-tls")


def _as_openssl_says(_connection: object, _certificate: object, _error: int, _depth: int, ok: int) -> bool:
    return bool(ok)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _handshake(connection: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from OpenSSL import SSL

    assert isinstance(connection, SSL.Connection)
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            await _flush(connection, writer)
            data = await reader.read(_CHUNK)
            if not data:
                raise TlsError("the server ended the connection during the TLS handshake") from None
            connection.bio_write(data)
        except SSL.Error as error:
            with contextlib.suppress(OSError):
                await _flush(connection, writer)
            raise TlsError(f"the TLS handshake failed: {_words(error)}") from error
        else:
            await _flush(connection, writer)
            return


async def _flush(connection: object, writer: asyncio.StreamWriter) -> None:
    """Sends what TLS has to send; where that is nothing, it waits for nothing."""
    from OpenSSL import SSL

    assert isinstance(connection, SSL.Connection)
    sent = False
    while True:
        try:
            writer.write(connection.bio_read(_CHUNK))
        except SSL.WantReadError:
            break
        sent = True
    if sent:
        await writer.drain()


def _check_name(connection: object, host: str) -> None:
    import service_identity
    from OpenSSL import SSL
    from service_identity import pyopenssl

    assert isinstance(connection, SSL.Connection)
    try:
        if _is_address(host):
            pyopenssl.verify_ip_address(connection, host)
        else:
            pyopenssl.verify_hostname(connection, host.rstrip("."))
    except (service_identity.VerificationError, service_identity.CertificateError) as error:
        raise TlsError(f"the server's certificate is not for {host}") from error


def _words(error: Exception) -> str:
    """OpenSSL's own words, which name no secret."""
    reasons = [entry[-1] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(reason for reason in reasons if reason) or type(error).__name__


class _Pump:
    """Moves bytes between TLS and a socket that carries the plain text; holds at most a chunk each way beyond what the
    two sockets hold."""

    def __init__(
        self,
        connection: object,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inner_reader: asyncio.StreamReader,
        inner_writer: asyncio.StreamWriter,
    ) -> None:
        from OpenSSL import SSL

        assert isinstance(connection, SSL.Connection)
        self._connection = connection
        self._reader, self._writer = reader, writer
        self._inner_reader, self._inner_writer = inner_reader, inner_writer

    async def run(self) -> None:
        """Runs until either side has ended, and closes both."""
        ways = {asyncio.create_task(self._inward()), asyncio.create_task(self._outward())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                with contextlib.suppress(Exception):
                    self._connection.shutdown()
                    await asyncio.wait_for(_flush(self._connection, self._writer), _GOODBYE)
            finally:
                # Cancelled a second time too. A server that reads nothing would keep its socket open for ever.
                self._inner_writer.close()
                self._writer.close()
                asyncio.get_running_loop().call_later(_GOODBYE, self._writer.transport.abort)

    async def _inward(self) -> None:
        """From the server."""
        from OpenSSL import SSL

        while True:
            try:
                self._inner_writer.write(self._connection.recv(_CHUNK))
                await self._inner_writer.drain()
                continue
            except SSL.WantReadError:
                pass
            except (SSL.ZeroReturnError, SSL.Error):
                return
            # A key update of the server's wants an answer.
            await _flush(self._connection, self._writer)
            data = await self._reader.read(_CHUNK)
            if not data:
                return
            self._connection.bio_write(data)

    async def _outward(self) -> None:
        """To the server."""
        while data := await self._inner_reader.read(_CHUNK):
            self._connection.sendall(data)
            await _flush(self._connection, self._writer)
