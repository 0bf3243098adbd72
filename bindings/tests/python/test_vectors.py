"""The frozen vectors, read by the package."""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

import pytest

import dmr
from dmr import events

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "tests" / "vectors"


def read(name: str) -> Any:
    """A file of vectors."""
    return json.loads((VECTORS / name).read_text())


def cases(file: str, member: str) -> list[Any]:
    """The cases in a file, by their names."""
    return [pytest.param(case, id=case["name"]) for case in read(file)[member]]


@pytest.mark.parametrize("name", ["x25519-1", "x25519-64", "x-wing-1", "x-wing-64"])
def test_a_frozen_envelope_opens(name: str) -> None:
    vector = read(f"envelope-{name}.json")
    keys, now = dmr.Keys.load(vector["recipient_key_file"]), vector["now_ms"]
    directory = dmr.Directory.verify(vector["directory"].encode(), dmr.Pin.load(vector["pin"]), now=now)
    envelope = bytes.fromhex(vector["envelope"])
    opened = dmr.open(keys, directory, envelope, now=now)
    assert opened.body and bytes.fromhex(vector["content"]).endswith(opened.body)
    assert opened.reference.digest.hex() == vector["digest"]
    assert dmr.verify(envelope, directory, now=now).reference == opened.reference
    assert len(dmr.Envelope.decode(envelope).recipients) == int(name.rsplit("-", 1)[1])


@pytest.mark.parametrize("case", cases("refused-envelopes.json", "refused"))
def test_an_envelope_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    file = read("refused-envelopes.json")
    young = case["directory"] == "young"
    keys = dmr.Keys.load(file["young_recipient_key_file" if young else "recipient_key_file"])
    directory = dmr.Directory.verify(
        file["directories"][case["directory"]].encode(), dmr.Pin.load(file["pin"]), now=read("directory.json")["now_ms"]
    )
    with pytest.raises(dmr.DmrError) as refused:
        dmr.open(keys, directory, bytes.fromhex(case["envelope"]), now=case["now_ms"])
    assert refused.value.name == case["expected"]


@pytest.mark.parametrize("case", cases("refused-directories.json", "refused"))
def test_a_directory_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    file = read("refused-directories.json")
    with pytest.raises(dmr.DmrError) as refused:
        dmr.Directory.verify(case["bundle"].encode("utf-8", "surrogateescape"), dmr.Pin.load(file["pin"]), now=file["now_ms"])
    assert refused.value.name == case["expected"]


@pytest.mark.parametrize("case", cases("refused-directories.json", "sequences"))
def test_a_sequence_of_offers_ends_the_same_way(case: dict[str, Any]) -> None:
    file = read("refused-directories.json")
    trust = dmr.DirectoryTrust(dmr.Pin.load(file["pin"]))
    last = "nothing"
    for offer in case["offers"]:
        try:
            trust.offer(offer.encode(), now=file["now_ms"])
        except dmr.DmrError as error:
            last = error.name
        else:
            last = "ok"
    assert last == case["last"]


def test_a_login_verifies_and_so_does_its_server() -> None:
    vector, now = read("login.json"), read("directory.json")["now_ms"]
    pin = dmr.Pin.load(read("directory.json")["pin"])
    directory = dmr.Directory.verify(vector["directory"].encode(), pin, now=now)
    challenge, fields, proof, signature = (
        bytes.fromhex(vector[name]) for name in ("challenge", "fields", "proof", "server_signature")
    )
    tax = next(each for each in read("keys.json")["participants"] if each["name"] == "tax")
    assert dmr.verify_login(challenge, fields, proof, directory, now=now) == uuid.UUID(tax["id"])
    assert dmr.prove_login(dmr.Keys.load(tax["key_file"]), challenge, fields, directory=directory, now=now) == proof
    assert dmr.verify_challenge(challenge, signature, directory, now=now) == "relay"
    with pytest.raises(dmr.VerifyError):
        dmr.verify_login(challenge, fields, bytes(64), directory, now=now)


def directory_of_logins(case: dict[str, Any]) -> dmr.Directory:
    """The directory that a case of `refused-logins.json` names."""
    file = read("refused-logins.json")
    bundle, now = file["directories"][case["directory"]].encode(), file["good"]["now_ms"]
    return dmr.Directory.verify(bundle, dmr.Pin.load(file["pin"]), now=now)


@pytest.mark.parametrize("case", cases("refused-logins.json", "refused"))
def test_a_login_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    challenge, fields, proof = (bytes.fromhex(case[name]) for name in ("challenge", "fields", "proof"))
    with pytest.raises(dmr.DmrError) as refused:
        dmr.verify_login(challenge, fields, proof, directory_of_logins(case), now=case["now_ms"])
    assert refused.value.name == case["expected"]


@pytest.mark.parametrize("case", cases("refused-logins.json", "refused_challenges"))
def test_a_challenge_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    challenge, signature = (bytes.fromhex(case[name]) for name in ("challenge", "signature"))
    with pytest.raises(dmr.DmrError) as refused:
        dmr.verify_challenge(challenge, signature, directory_of_logins(case), now=case["now_ms"])
    assert refused.value.name == case["expected"]


@pytest.mark.parametrize("case", cases("refused-logins.json", "good_challenges"))
def test_a_good_challenge_is_taken(case: dict[str, Any]) -> None:
    challenge, signature = (bytes.fromhex(case[name]) for name in ("challenge", "signature"))
    assert dmr.verify_challenge(challenge, signature, directory_of_logins(case), now=case["now_ms"]) == "relay"


def test_a_server_s_frame_that_is_refused_ends_the_link() -> None:
    pin = dmr.Pin.load(read("directory.json")["pin"])
    keys = dmr.Keys.load(read("keys.json")["participants"][0]["key_file"])
    for case in read("refused-frames.json")["refused"]:
        if case["from"] != "server":
            continue
        exchange = dmr.Exchange(keys, pin, [None])
        exchange.link_up()
        exchange.receive(bytes.fromhex(case["bytes"]) + bytes(case["then_zeros"]))
        while exchange.poll_event() is not None:
            pass
        answer = exchange.poll_transmit()
        assert isinstance(answer, events.Close), case["name"]
        assert answer.name in ("malformed", "frame-too-large"), case["name"]


def test_keys_make_the_same_cards_and_answers_the_same_ids() -> None:
    for participant in read("keys.json")["participants"]:
        keys = dmr.Keys.load(participant["key_file"])
        assert (str(keys.participant), keys.name) == (participant["id"], participant["name"])
        assert json.loads(keys.card()) == json.loads(participant["card"])
        assert dmr.Keys.load(keys.save()).card() == keys.card()
    for case in read("answers.json")["cases"]:
        assert str(dmr.answer_id(case["question"], case["participant"])) == case["answer"]


def test_a_server_s_frames_are_taken_and_an_agent_s_are_not() -> None:
    pin = dmr.Pin.load(read("directory.json")["pin"])
    keys = dmr.Keys.load(read("keys.json")["participants"][0]["key_file"])
    for frame in read("frames.json")["frames"]:
        exchange = dmr.Exchange(keys, pin, [None])
        exchange.link_up()
        exchange.receive(bytes.fromhex(frame["bytes"]))
        while exchange.poll_event() is not None:
            pass
        answer = exchange.poll_transmit()
        assert isinstance(answer, events.Close)
        if frame["from"] == "agent":
            # An agent cannot even read what only agents send.
            expected = "malformed"
        else:
            # Before a login only these two are in their place. What the challenge's frame carries is no challenge.
            expected = {"challenge": "malformed", "refused": "login-refused"}.get(frame["name"], "protocol-violation")
        assert answer.name == expected, frame["name"]


def login_directory(case: dict[str, Any]) -> dmr.Directory:
    """The directory that a case about logins speaks of."""
    file = read("refused-logins.json")
    pin = dmr.Pin.load(file["pin"])
    return dmr.Directory.verify(file["directories"][case["directory"]].encode(), pin, now=read("directory.json")["now_ms"])


@pytest.mark.parametrize("case", cases("refused-logins.json", "refused"))
def test_a_login_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    challenge, fields, proof = (bytes.fromhex(case[name]) for name in ("challenge", "fields", "proof"))
    with pytest.raises(dmr.DmrError) as refused:
        dmr.verify_login(challenge, fields, proof, login_directory(case), now=case["now_ms"])
    assert refused.value.name == case["expected"]


@pytest.mark.parametrize("case", cases("refused-logins.json", "refused_challenges"))
def test_a_server_is_refused_with_the_same_name(case: dict[str, Any]) -> None:
    challenge, signature = bytes.fromhex(case["challenge"]), bytes.fromhex(case["signature"])
    with pytest.raises(dmr.DmrError) as refused:
        dmr.verify_challenge(challenge, signature, login_directory(case), now=case["now_ms"])
    assert refused.value.name == case["expected"]


def test_a_good_login_and_good_challenges_are_taken() -> None:
    file = read("refused-logins.json")
    good = file["good"]
    challenge, fields, proof = (bytes.fromhex(good[name]) for name in ("challenge", "fields", "proof"))
    dmr.verify_login(challenge, fields, proof, login_directory(good), now=good["now_ms"])
    for case in file["good_challenges"]:
        signature = bytes.fromhex(case["signature"])
        dmr.verify_challenge(bytes.fromhex(case["challenge"]), signature, login_directory(case), now=case["now_ms"])


@pytest.mark.parametrize("case", [case for case in cases("refused-frames.json", "refused") if case.values[0]["from"] == "server"])
def test_a_frame_of_a_server_that_is_none_ends_the_link(case: dict[str, Any]) -> None:
    pin = dmr.Pin.load(read("directory.json")["pin"])
    keys = dmr.Keys.load(read("keys.json")["participants"][0]["key_file"])
    exchange = dmr.Exchange(keys, pin, [None])
    exchange.link_up()
    exchange.receive(bytes.fromhex(case["bytes"]) + bytes(case["then_zeros"]))
    while exchange.poll_event() is not None:
        pass
    close = exchange.poll_transmit()
    assert isinstance(close, events.Close)
    # Before a login no frame may be long, whatever is in it.
    assert close.name == ("frame-too-large" if len(case["bytes"]) // 2 + case["then_zeros"] > 4096 else "malformed")
