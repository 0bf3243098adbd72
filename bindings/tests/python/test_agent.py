"""What the agent is made of, without a server. With one: tests/tests/bindings/agent.rs."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import pathlib
import uuid

import pytest

import dmr
import dmr.aio
from dmr import authority, testing
from dmr.aio import json_message
from dmr.aio.address import parse_address
from dmr.aio.directories import Directories

NETWORK = testing.network("tax", "police")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ws://127.0.0.1", (None, False, "127.0.0.1", 80, "/v1/link")),
        ("wss://relay.example.org", (None, True, "relay.example.org", 443, "/v1/link")),
        ("north=wss://relay.example.org:8443/dmr/link", ("north", True, "relay.example.org", 8443, "/dmr/link")),
        ("wss://[::1]/", (None, True, "::1", 443, "/v1/link")),
    ],
)
def test_an_address_has_a_scheme_a_host_a_port_a_path_and_perhaps_a_server(text: str, parts: tuple[object, ...]) -> None:
    address = parse_address(text)
    assert (address.name, address.secure, address.host, address.port, address.path) == parts
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "http://host", "WS://host", "North=ws://host", "=ws://host", "ws://", "ws://:80", "ws://a..b", "ws://user@host",
     "ws://[::1", "ws://[::1]x", "ws://::1", "ws://host:", "ws://host:0", "ws://host:+80", "ws://host:65536",
     "ws://host/a?b", "ws://host/a#b", "ws://host/a b", "ws://host/a\r\nX: y"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(dmr.CallError):
        parse_address(text)


def test_a_json_message_survives_and_anything_else_is_none() -> None:
    body = json_message.encode({"ä": [1, None]}, "Any")
    assert json_message.decode(body) == ("Any", {"ä": [1, None]})
    for other in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"timestamp":"","type":"","payload":1,"more":2}'):
        assert json_message.decode(other) is None
    for wrong in ("", "x" * 129, "a\nb"):
        with pytest.raises(dmr.CallError):
            json_message.encode(1, wrong)
    with pytest.raises(ValueError):
        json_message.encode(float("nan"), "Any")


def test_a_directory_is_kept_and_an_older_one_refused_after_a_restart(tmp_path: pathlib.Path) -> None:
    founding = authority.found("kept")
    second = authority.add(founding.directory, founding.pin, founding.directory_key, [NETWORK.keys["tax"].card()])
    directories = Directories(founding.pin, tmp_path / "state")
    assert directories.current is None
    assert directories.offer(bytes(second)) and not directories.offer(bytes(second))
    again = Directories(founding.pin, tmp_path / "state")
    assert again.current is not None and again.current.revision == 2
    assert not again.offer(bytes(founding.directory))
    (tmp_path / "state" / "directory.jws").write_bytes(b"damaged")
    with pytest.raises(dmr.aio.StateError):
        Directories(founding.pin, tmp_path / "state")


def test_a_fork_is_kept_as_evidence_and_still_known_after_a_restart(tmp_path: pathlib.Path) -> None:
    founding = authority.found("forked")
    one, two = (
        authority.add(founding.directory, founding.pin, founding.directory_key, [dmr.Keys.generate(uuid.uuid4(), name).card()])
        for name in ("one", "two")
    )
    directories = Directories(founding.pin, tmp_path)
    assert directories.offer(bytes(one)) and directories.offer(bytes(two))
    assert (tmp_path / "fork-2-ours.jws").read_bytes() == bytes(one)
    assert (tmp_path / "fork-2-other.jws").read_bytes() == bytes(two)
    again = Directories(founding.pin, tmp_path)
    assert again.current is not None and again.current.is_forked


def test_a_disk_that_is_full_does_not_keep_a_revocation_from_being_used(tmp_path: pathlib.Path) -> None:
    founding = authority.found("full")
    second = authority.add(founding.directory, founding.pin, founding.directory_key, [NETWORK.keys["tax"].card()])
    directories = Directories(founding.pin, tmp_path / "state")
    (tmp_path / "state").rmdir()
    assert directories.offer(bytes(second))
    assert directories.current is not None and directories.current.revision == 2
    (tmp_path / "state").mkdir()
    directories.keep_again()
    assert (tmp_path / "state" / "directory.jws").read_bytes() == bytes(second)


def test_without_a_server_nothing_is_sent_and_it_says_so() -> None:
    async def main() -> None:
        async with dmr.aio.Agent(NETWORK.keys["tax"], "ws://127.0.0.1:1", NETWORK.pin) as agent:
            assert not agent.is_ready and agent.unsealable == "no-directory" and agent.server is None
            with pytest.raises(dmr.SendError) as refused:
                await agent.ask("police", {"a": 1}, timeout=0.2)
            assert refused.value.name == "unsealable.no-directory" and refused.value.retryable
            with pytest.raises(TimeoutError):
                await agent.ready(timeout=0.1)
        assert [delivery async for delivery in agent] == []

    asyncio.run(main())


def test_with_a_kept_directory_a_message_waits_for_a_server_and_can_be_taken_back(tmp_path: pathlib.Path) -> None:
    (tmp_path / "directory.jws").write_bytes(bytes(NETWORK.directory))

    async def main() -> None:
        async with dmr.aio.Agent(NETWORK.keys["tax"], "ws://127.0.0.1:1", NETWORK.pin, state=tmp_path) as agent:
            id = uuid.uuid4()
            with pytest.raises(TimeoutError):
                await agent.send("police", "nobody listens", id=id, timeout=0.1)
            status = agent.status(id)
            assert status is not None and status.status == "pending" and not status.is_final
            with pytest.raises(dmr.SendError) as refused:
                await agent.send("police", "the same id", id=id)
            assert refused.value.name == "send.duplicate"
            outcomes = [asyncio.ensure_future(agent.outcome(each)) for each in (id, str(id))]  # type: ignore[arg-type]
            await asyncio.sleep(0)
            assert await agent.withdraw(id) and agent.status(id) is None
            assert await asyncio.wait_for(asyncio.gather(*outcomes), 1) == [None, None]
            for stranger in ("nobody", uuid.uuid4()):
                with pytest.raises(dmr.SendError) as refused:
                    await agent.send(["police", stranger], "to a name or an id that is not listed")
                assert refused.value.name == "send.unknown-recipient" and not refused.value.retryable
            with pytest.raises(dmr.aio.NoAnswer) as late:
                await agent.ask("police", "nobody answers", timeout=0.1)
            assert isinstance(late.value.question, uuid.UUID)
            pending = asyncio.ensure_future(agent.send("police", "unsent"))
            await asyncio.sleep(0)
        with pytest.raises(dmr.SendError) as refused:
            await pending
        assert refused.value.name == "send.stopped"

    asyncio.run(main())


def test_wrong_settings_are_refused_before_anything_starts(tmp_path: pathlib.Path) -> None:
    keys, pin = NETWORK.keys["tax"], NETWORK.pin
    with pytest.raises(dmr.CallError):
        dmr.aio.Agent(keys, [], pin)
    with pytest.raises(dmr.CallError):
        dmr.aio.Agent(keys, "http://relay", pin)
    file = tmp_path / "keys"
    file.write_bytes(keys.save())
    file.chmod(0o644)
    with pytest.raises(PermissionError):
        dmr.aio.Agent(file, "ws://127.0.0.1", pin)
    file.chmod(0o600)
    agent = dmr.aio.Agent(file, "ws://127.0.0.1", pin)
    assert agent.participant == keys.participant
    with pytest.raises(RuntimeError):
        agent.status(uuid.uuid4())


def test_plain_text_may_not_leave_this_machine_unless_it_is_told_to(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        # An address of the documentation's range: were it dialled, nobody would be reached.
        async with dmr.aio.Agent(NETWORK.keys["tax"], "ws://192.0.2.1", NETWORK.pin):
            await asyncio.sleep(0.2)

    with caplog.at_level(logging.WARNING, "dmr.aio"):
        asyncio.run(main())
    assert any("would leave this machine" in record.getMessage() for record in caplog.records)


def test_a_forked_child_may_not_use_its_parent_s_agent() -> None:
    async def main() -> None:
        async with dmr.aio.Agent(NETWORK.keys["tax"], "ws://127.0.0.1:1", NETWORK.pin) as agent:
            child = os.fork()
            if child == 0:
                try:
                    agent.status(uuid.uuid4())
                except RuntimeError:
                    os._exit(0)
                os._exit(1)
            assert os.waitpid(child, 0)[1] == 0

    asyncio.run(main())


def test_the_extra_asks_for_the_first_websockets_that_takes_what_it_is_given() -> None:
    # Before 15 it opens no link without a proxy of the environment's, and knows no argument that says so.
    wanted = [each for each in importlib.metadata.requires("dmr-sdk") or () if each.startswith("websockets")]
    assert len(wanted) == 1 and ">=15" in wanted[0]
