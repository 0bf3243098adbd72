"""Messages, keys and directories."""

from __future__ import annotations

import datetime
import random
import uuid

import pytest

import dmr
from dmr import authority, testing

NETWORK = testing.network("tax", "police", "press")
TAX, POLICE, PRESS = (NETWORK.keys[name] for name in ("tax", "police", "press"))
DIRECTORY = NETWORK.directory


def test_every_field_of_a_message_arrives() -> None:
    question = dmr.seal(TAX, DIRECTORY, "police", "?").reference
    conversation, room, id = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    # A second more, so that it is never before the keys were made; clocks may differ by more than that.
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    created = later.replace(microsecond=123_000)
    envelope = dmr.seal(
        TAX,
        DIRECTORY,
        ["police", PRESS.participant, ],
        b"\x00\xff",
        content_type="application/octet-stream",
        kind=dmr.Kind.ANSWER,
        id=id,
        created=created,
        ttl=60,
        conversation=conversation,
        sequence=7,
        room=str(room),
        in_reply_to=question,
    )
    assert (envelope.id, envelope.sender, envelope.kind) == (id, TAX.participant, dmr.Kind.ANSWER)
    assert set(envelope.recipients) == {POLICE.participant, PRESS.participant}
    assert (envelope.network, envelope.suite) == ("testing", dmr.Suite.X_WING)
    assert (envelope.created, envelope.expires) == (created, created + datetime.timedelta(seconds=60))
    assert envelope.directory_revision == DIRECTORY.revision
    for keys in (POLICE, PRESS):
        opened = dmr.open(keys, DIRECTORY, bytes(envelope))
        assert (opened.body, opened.content_type) == (b"\x00\xff", "application/octet-stream")
        assert (opened.conversation, opened.sequence, opened.room) == (conversation, 7, room)
        assert (opened.in_reply_to, opened.reference) == (question, envelope.reference)
        assert (opened.sender, opened.kind, opened.created) == (TAX.participant, dmr.Kind.ANSWER, created)
        assert opened.expires == envelope.expires


def test_any_buffer_and_any_text_is_a_body_and_an_envelope() -> None:
    for body in (b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4], "abc"):
        envelope = bytes(dmr.seal(TAX, DIRECTORY, "police", body))
        for form in (envelope, bytearray(envelope), memoryview(envelope), dmr.Envelope.decode(envelope)):
            assert dmr.open(POLICE, DIRECTORY, form).body == b"abc"


@pytest.mark.parametrize("suite", dmr.Suite)
def test_sizes_from_nothing_to_the_limit_and_up_to_64_recipients(suite: dmr.Suite) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    names = [f"office-{number}" for number in range(64)]
    network = testing.network("sender", *names, suite=suite)
    for count, size in ((1, 0), (2, 1), (64, 1_000), (3, draw.randrange(1 << 16)), (1, dmr.MESSAGE_LIMIT - 64)):
        body = draw.randbytes(size)
        to = draw.sample(names, count)
        envelope = dmr.seal(network.keys["sender"], network.directory, to, body)
        assert envelope.suite == suite
        reader = network.keys[draw.choice(to)]
        assert dmr.open(reader, network.directory, envelope).body == body
        assert dmr.verify(envelope, network.directory).sender == network.keys["sender"].participant


def test_no_bit_of_an_envelope_can_change() -> None:
    envelope = bytes(dmr.seal(TAX, DIRECTORY, "police", "unchanged"))
    for at in range(len(envelope)):
        changed = bytearray(envelope)
        changed[at] ^= 1 << (at % 8)
        with pytest.raises(dmr.DmrError):
            dmr.open(POLICE, DIRECTORY, changed)


def test_keys_survive_their_file_and_a_card_tells_no_secret() -> None:
    again = dmr.Keys.load(TAX.save())
    assert (again.participant, again.name) == (TAX.participant, "tax")
    assert again.card() == TAX.card()
    assert dmr.open(POLICE, DIRECTORY, dmr.seal(again, DIRECTORY, "police", "from the file")).body == b"from the file"
    assert b"seed" not in TAX.card() and b"secret" not in TAX.card()


def test_a_directory_names_its_participants() -> None:
    tax = DIRECTORY.participant("tax")
    assert tax is not None and tax[:3] == (TAX.participant, "tax", "active")
    assert [len(each) for each in tax.identity_keys + tax.sealing_keys] == [16] * 3
    assert DIRECTORY.participant(TAX.participant) == DIRECTORY.participant(str(TAX.participant))
    assert DIRECTORY.participant("nobody") is None and DIRECTORY.participant(uuid.uuid4()) is None
    assert {each.name for each in DIRECTORY.participants()} == {"tax", "police", "press"}
    assert DIRECTORY.allows("tax", "police") and not DIRECTORY.allows("tax", "nobody")
    assert DIRECTORY.freshness() == "fresh" and DIRECTORY.max_ttl == 86_400.0
    assert DIRECTORY.issued < DIRECTORY.expires and len(DIRECTORY.digest) == 32
    TAX.check(DIRECTORY)
    with pytest.raises(dmr.AuthorityError) as refused:
        dmr.Keys.generate(uuid.uuid4(), "stranger").check(DIRECTORY)
    assert refused.value.name == "standing.not-listed"


def test_trust_refuses_what_is_older_and_remembers_a_fork() -> None:
    founding = authority.found("ratchet")

    def grown(*names: str) -> dmr.Directory:
        cards = [dmr.Keys.generate(uuid.uuid4(), name).card() for name in names]
        return authority.add(founding.directory, founding.pin, founding.directory_key, cards)

    second, other = grown("one"), grown("two")
    trust = dmr.DirectoryTrust(founding.pin)
    assert trust.current is None
    adopted = trust.offer(bytes(second))
    assert adopted is not None and adopted.revision == 2
    assert trust.offer(bytes(second)) is None
    with pytest.raises(dmr.TrustError) as refused:
        trust.offer(bytes(founding.directory))
    assert refused.value.name == "trust.rollback"
    with pytest.raises(dmr.TrustError) as refused:
        trust.offer(bytes(other))
    assert refused.value.name == "trust.forked"
    assert trust.current is not None and trust.current.is_forked
    assert trust.fork == (bytes(second), bytes(other))
    restored = dmr.DirectoryTrust(founding.pin)
    assert restored.restore(bytes(second)) is not None


def test_an_envelope_is_a_value() -> None:
    envelope = dmr.seal(TAX, DIRECTORY, "police", "a")
    same = dmr.Envelope.decode(bytes(envelope))
    assert envelope == same and hash(envelope) == hash(same)
    assert envelope != dmr.seal(TAX, DIRECTORY, "police", "a")
    assert envelope != bytes(envelope)


def test_a_kind_without_a_name_is_carried() -> None:
    envelope = dmr.seal(TAX, DIRECTORY, "police", "new", kind=77)
    assert envelope.kind == 77 and envelope.kind.name == "KIND_77"
    with pytest.raises(ValueError):
        dmr.Kind(1 << 16)
