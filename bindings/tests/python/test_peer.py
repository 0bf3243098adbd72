"""The peer that seals and opens for the other languages' tests."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
import uuid

import dmr
from dmr import testing

PEER = pathlib.Path(__file__).resolve().parents[3] / "tests" / "peers" / "peer.py"


def test_a_peer_seals_opens_and_refuses_by_name(tmp_path: pathlib.Path) -> None:
    network = testing.network("tax", "police")
    files = {"pin": network.pin.save(), "directory": bytes(network.directory)}
    files |= {name: keys.save() for name, keys in network.keys.items()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    police, now = network.keys["police"].participant, int(time.time() * 1000)

    peer = subprocess.Popen(
        [sys.executable, str(PEER), str(tmp_path / "pin"), str(tmp_path / "directory")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> list[str]:
        assert peer.stdin is not None and peer.stdout is not None
        peer.stdin.write(line + "\n")
        peer.stdin.flush()
        return peer.stdout.readline().split()

    for body in (b"", b"\x00hello\xff", bytes(200_000)):
        asked = f"seal {tmp_path / 'tax'} {now} {now + 60_000} 1 {police} text/plain {body.hex() or '-'}"
        word, envelope = ask(asked)
        assert word == "ok"
        opened = dmr.open(network.keys["police"], network.directory, bytes.fromhex(envelope), now=now)
        assert (opened.body, opened.content_type, opened.kind) == (body, "text/plain", dmr.Kind.QUESTION)
        found = ask(f"open {tmp_path / 'police'} {now} {envelope}")
        assert found == ["ok", str(opened.id), str(opened.sender), "1", "text/plain", body.hex() or "-"]
        assert ask(f"open {tmp_path / 'tax'} {now} {envelope}") == ["error", "open.not-recipient"]
    stranger = uuid.uuid4()
    refused = ask(f"seal {tmp_path / 'tax'} {now} {now + 60_000} 1 {stranger} text/plain -")
    assert refused == ["error", "verify.unknown-recipient"]
    for nonsense in ("", "open", "shout at me", f"open {tmp_path / 'nobody'} {now} 00", "open a b c", "x" * (4 << 20)):
        assert ask(nonsense) == ["error", "call.out-of-range"]
    assert ask(f"open {tmp_path / 'police'} {now} 00")[0] == "error"
    peer.communicate(timeout=60)
    assert peer.returncode == 0
