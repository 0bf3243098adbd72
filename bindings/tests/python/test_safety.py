"""Threads, forks, garbage, and what must not be shown."""

from __future__ import annotations

import concurrent.futures
import os
import random
import threading
import time
import traceback

import pytest

import dmr
from dmr import testing

NETWORK = testing.network("tax", "police")
TAX, POLICE = NETWORK.keys["tax"], NETWORK.keys["police"]
DIRECTORY = NETWORK.directory
CANARY = "canary-0451"


def test_no_secret_and_no_text_is_in_any_repr_or_traceback() -> None:
    secrets = [part for part in TAX.save().decode().split('"') if len(part) > 40]
    assert secrets
    envelope = dmr.seal(TAX, DIRECTORY, "police", CANARY, content_type=f"text/{CANARY}")
    opened = dmr.open(POLICE, DIRECTORY, envelope)
    shown = [f"{each!r} {each!s}" for each in (TAX, envelope, opened, DIRECTORY, NETWORK.pin, NETWORK, envelope.reference)]
    try:
        dmr.Keys.load(TAX.save().replace(b'"version":1', b'"version":2'))
    except dmr.DmrError:
        shown.append(traceback.format_exc())
    try:
        dmr.open(TAX, DIRECTORY, envelope)
    except dmr.DmrError:
        shown.append(traceback.format_exc())
    for text in shown:
        assert CANARY not in text
        assert not any(secret in text for secret in secrets)


def test_keys_and_directories_are_shared_between_threads() -> None:
    def both(number: int) -> bytes:
        return dmr.open(POLICE, DIRECTORY, dmr.seal(TAX, DIRECTORY, "police", f"message {number}")).body

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both, range(200))) == [f"message {number}".encode() for number in range(200)]


def test_other_threads_run_while_a_message_is_sealed() -> None:
    body, looks, done = bytes(dmr.MESSAGE_LIMIT - 64), [0], threading.Event()

    def look() -> None:
        while not done.is_set():
            looks[0] += 1
            time.sleep(0)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        before = looks[0]
        for _ in range(20):
            dmr.seal(TAX, DIRECTORY, "police", body)
        # With the interpreter's lock held throughout, the other thread would come to its turn once in 5 ms at most,
        # between two calls.
        assert looks[0] - before > 20
    finally:
        done.set()
        watcher.join()


def test_a_forked_child_seals_and_repeats_nothing_of_its_parents() -> None:
    readers = []
    for _ in range(4):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with os.fdopen(writer, "wb") as out:
                out.write(bytes(dmr.seal(TAX, DIRECTORY, "police", "the same")))
            os._exit(0)
        os.close(writer)
        readers.append((child, reader))
    envelopes = [bytes(dmr.seal(TAX, DIRECTORY, "police", "the same"))]
    for child, reader in readers:
        with os.fdopen(reader, "rb") as source:
            envelopes.append(source.read())
        assert os.waitpid(child, 0)[1] == 0
    opened = [dmr.open(POLICE, DIRECTORY, envelope) for envelope in envelopes]
    assert all(each.body == b"the same" for each in opened)
    assert len({each.id for each in opened}) == len(opened)
    assert len({envelope[-200:] for envelope in envelopes}) == len(envelopes)


def test_random_bytes_are_refused_and_never_more_than_that() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    envelope = bytes(dmr.seal(TAX, DIRECTORY, "police", "good"))
    for _ in range(3_000):
        data = draw.randbytes(draw.randrange(400))
        if draw.random() < 0.5:
            at = draw.randrange(len(envelope))
            data = envelope[:at] + data + envelope[at + draw.randrange(100) :]
        for attempt in (
            lambda: dmr.open(POLICE, DIRECTORY, data),
            lambda: dmr.verify(data, DIRECTORY),
            lambda: dmr.Keys.load(data),
            lambda: dmr.Pin.load(data),
            lambda: dmr.Directory.verify(data, NETWORK.pin),
            lambda: dmr.verify_challenge(data, data, DIRECTORY),
            lambda: dmr.verify_login(data, data, data, DIRECTORY),
        ):
            try:
                attempt()
            except dmr.DmrError:
                continue
            # With nothing drawn into it, an envelope is as good as before.
            assert data == envelope or attempt.__name__ == "<lambda>" and len(data) == 0


def test_an_exchange_takes_random_frames_and_wrong_order() -> None:
    draw = random.Random(7)
    exchange = dmr.Exchange(TAX, NETWORK.pin, [None], directory=DIRECTORY)
    for _ in range(2_000):
        step = draw.randrange(9)
        if step == 0:
            exchange.link_up(draw.choice([None, bytes(32)]))
        elif step == 1:
            exchange.link_down(draw.randrange(1 << 16))
        elif step == 2:
            exchange.receive(draw.randbytes(draw.randrange(200)))
        elif step == 3:
            exchange.poll_transmit()
        elif step == 4:
            exchange.handle_timeout()
        elif step == 5:
            try:
                exchange.publish("police", 1, "text/plain", "?", asks=draw.random() < 0.5)
            except dmr.SendError as error:
                assert error.name == "send.full"
        elif step == 6:
            exchange.use_directory(DIRECTORY)
        else:
            while exchange.poll_event() is not None:
                pass
        exchange.timeout()
    exchange.shutdown()
    with pytest.raises(ValueError):
        exchange.link_up(b"short")
