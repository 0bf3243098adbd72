"""What an agent's links survive: servers that redirect, stall or break off, cancelled tasks, and faulty log handlers."""

from __future__ import annotations

import asyncio
import datetime
import logging
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import dmr
import dmr.aio
from dmr import testing
from dmr.aio.delivery import Delivery
from dmr.aio.directories import Directories
from dmr.aio.driver import Driver
from dmr.aio.inbox import Inbox
from dmr.aio.link import LinkSettings
from dmr.aio.tls import Tls, secure

NETWORK = testing.network("tax", "police")


async def until(what: str, holds: Callable[[], bool], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not in time: {what}")


@asynccontextmanager
async def listener(answer: bytes) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that gives every upgrade request this answer and ends. Its port, and who came."""
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(str(writer.get_extra_info("peername")))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


def agent(server: str) -> dmr.aio.Agent:
    return dmr.aio.Agent(NETWORK.keys["tax"], server, NETWORK.pin)


def test_a_redirect_is_a_link_that_could_not_be_opened_and_the_next_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 302 Found\r\nLocation: ws://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
        async with listener(answer) as (port, came), agent(f"ws://127.0.0.1:{port}"):
            await until("two dials", lambda: len(came) > 1, 4)

    asyncio.run(main())
    assert not any(record.exc_info for record in caplog.records), caplog.text


def test_a_name_that_no_dns_can_have_is_a_link_that_could_not_be_opened(caplog: pytest.LogCaptureFixture) -> None:
    def told() -> int:
        return sum("no link could be opened" in record.getMessage() for record in caplog.records)

    async def main() -> None:
        async with agent("ws://" + "a" * 64):
            await until("two dials", lambda: told() > 1, 4)

    with caplog.at_level(logging.WARNING, "dmr.aio"):
        asyncio.run(main())
    assert not any(record.exc_info for record in caplog.records), caplog.text


def test_a_log_handler_that_raises_does_not_keep_the_agent_from_trying_again() -> None:
    def raises(record: logging.LogRecord) -> bool:
        if record.msg.startswith("no link to a server"):
            raise RuntimeError("the program's own fault")
        return True

    async def main() -> None:
        async with listener(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as (port, came):
            async with agent(f"ws://127.0.0.1:{port}"):
                await until("three dials", lambda: len(came) > 2, 6)

    log = logging.getLogger("dmr.aio")
    log.addFilter(raises)
    try:
        asyncio.run(main())
    finally:
        log.removeFilter(raises)


class Idle:
    """An exchange in which nothing happens, and that never stops."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def test_a_cancelled_shutdown_ends_everything_and_tells_whoever_waits() -> None:
    async def main() -> None:
        idle, directories = Idle(), Directories(NETWORK.pin, None)
        driver = Driver(idle, directories, [], LinkSettings(), Inbox(64))  # type: ignore[arg-type]
        driver.start()
        confirmed = driver.expect(NETWORK.keys["tax"].participant)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(driver.shutdown(), 0.05)
        with pytest.raises(dmr.SendError):
            await asyncio.wait_for(confirmed, 1)
        assert [delivery async for delivery in driver.inbox.taken()] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("opened", [True, False])
def test_a_dial_that_swallows_its_cancellation_serves_no_link(monkeypatch: pytest.MonkeyPatch, opened: bool) -> None:
    class Opened:
        binding = None

        async def receive(self) -> bytes:
            await asyncio.sleep(60)
            return b""

        def abort(self) -> None:
            aborted.append(self)

    aborted: list[Opened] = []

    async def opens(*_: object) -> Opened:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
        if not opened:
            raise ConnectionError("nobody there")
        return Opened()

    async def main() -> None:
        async with agent("ws://127.0.0.1:1") as office:
            await asyncio.sleep(0)
            await asyncio.wait_for(office.shutdown(), 1)
        assert len(aborted) == opened

    monkeypatch.setattr("dmr.aio.driver.open_link", opens)
    asyncio.run(main())


class Refusing:
    """A driver whose exchange takes no negative times."""

    def __init__(self) -> None:
        self.exchange = self

    def retry(self, _in_hand: object, after: float) -> None:
        if after < 0:
            raise ValueError("no span of time")

    def turn(self) -> None:
        pass

    def call_soon(self, _call: object) -> None:
        raise AssertionError("it was settled")


def test_a_wrong_argument_settles_nothing_and_loses_nothing() -> None:
    driver = Refusing()
    delivery = Delivery(None, object(), driver)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        asyncio.run(delivery.retry(-1))
    assert not delivery.is_settled
    asyncio.run(delivery.retry(1))
    assert delivery.is_settled


def test_what_nobody_takes_goes_back_but_for_some_so_that_answers_still_come() -> None:
    class Held:
        """A delivery that is only counted."""

        def put_back(self, _after: float) -> None:
            back.append(self)

    back: list[Held] = []

    async def main() -> None:
        inbox = Inbox(8)
        came: list[Any] = [Held() for _ in range(20)]
        for held in came[:6]:
            inbox.put(held)
        assert back == came[:2]
        taken = inbox.taken()
        assert await taken.__anext__() is came[2]
        for held in came[6:]:
            inbox.put(held)
        assert back == came[:2], "somebody takes them"
        await taken.aclose()  # type: ignore[attr-defined]
        inbox.give_back()
        assert back == came[:2] + came[3:16]
        inbox.leave()
        inbox.put(came[0])
        assert back == came[:2] + came[3:] + came[:1], "nobody will settle them"
        inbox.end()
        assert [held async for held in inbox.taken()] == []

    asyncio.run(main())


def certificate(place: pathlib.Path) -> pathlib.Path:
    """A certificate for localhost that signs itself, and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text = key.private_bytes(encoding, form, serialization.NoEncryption())
    file = place / "localhost.pem"
    file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(encoding) + text)
    return file


@asynccontextmanager
async def stalled(place: pathlib.Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Task[None], asyncio.StreamWriter]]:
    """TLS to a server that reads nothing, with as much on its way as goes: the two ends of the plain text here, the pump,
    and the server's writer."""
    file, there = certificate(place), asyncio.get_running_loop().create_future()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.set_result(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    plain = socket.create_connection(server.sockets[0].getsockname())
    plain.setblocking(False)
    outer, binding, pump = await secure(plain, "localhost", Tls(ca_file=file))
    assert len(binding) == 32
    reader, writer = await asyncio.open_connection(sock=outer)
    writer.write(bytes(32 << 20))
    peer = await there
    size = -1
    while size != writer.transport.get_write_buffer_size():
        size = writer.transport.get_write_buffer_size()
        await asyncio.sleep(0.3)
    assert size > 0, "the server has stopped taking"
    try:
        yield reader, writer, pump, peer
    finally:
        pump.cancel()
        peer.transport.abort()
        writer.transport.abort()
        server.close()


def test_what_a_server_sends_comes_in_while_it_takes_nothing(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stalled(tmp_path) as (reader, _, _, peer):
            peer.write(bytes(1 << 20))
            assert len(await asyncio.wait_for(reader.readexactly(1 << 20), 5)) == 1 << 20

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_a_link_that_is_given_up_closes_its_socket_though_the_server_takes_nothing(tmp_path: pathlib.Path, times: int) -> None:
    async def main() -> None:
        async with stalled(tmp_path) as (_, writer, pump, _):
            server_side = pump.get_coro().cr_frame.f_locals["self"]._writer.transport  # type: ignore[union-attr]
            writer.transport.abort()
            for _ in range(times):
                pump.cancel()
                await asyncio.sleep(0.1)
            await until("the socket is closed", lambda: server_side.get_extra_info("socket").fileno() == -1, 4)

    asyncio.run(main())
