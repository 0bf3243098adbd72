"""What a directory's keeper and a participant with new keys do, and what everybody else sees of it."""

from __future__ import annotations

import copy
import datetime
import pickle
import uuid

import pytest

import dmr
from dmr import authority

FOUNDING = authority.found("demo")
TAX, POLICE = (dmr.Keys.generate(uuid.uuid4(), name) for name in ("tax", "police"))
KEEPING = (FOUNDING.pin, FOUNDING.directory_key)
DIRECTORY = authority.add(FOUNDING.directory, *KEEPING, [TAX.card(), POLICE.card()])


def test_a_participant_is_removed_and_nothing_is_sealed_to_it() -> None:
    removed = authority.remove(DIRECTORY, *KEEPING, "police")
    police = removed.participant("police")
    assert police is not None and police.status == "removed" and removed.revision == DIRECTORY.revision + 1
    with pytest.raises(dmr.VerifyError) as refused:
        dmr.seal(TAX, removed, "police", b"")
    assert refused.value.name == "verify.recipient-inactive"
    with pytest.raises(dmr.AuthorityError) as unknown:
        authority.remove(DIRECTORY, *KEEPING, "nobody")
    assert unknown.value.name == "authority.unknown-name"


def test_a_revoked_key_is_refused_at_once() -> None:
    envelope = dmr.seal(TAX, DIRECTORY, "police", b"")
    revoked = authority.revoke(DIRECTORY, *KEEPING, envelope.sender_key)
    with pytest.raises(dmr.VerifyError) as refused:
        dmr.open(POLICE, revoked, envelope)
    assert refused.value.name == "verify.revoked-key"
    with pytest.raises(dmr.AuthorityError) as standing:
        TAX.check(revoked)
    assert standing.value.name == "standing.no-signing-key"
    with pytest.raises(dmr.CallError):
        authority.revoke(DIRECTORY, *KEEPING, b"short")


def test_a_renewed_directory_follows_the_old_one() -> None:
    trust = dmr.DirectoryTrust(FOUNDING.pin)
    renewed = authority.renew(DIRECTORY, *KEEPING, valid_for=60.0)
    trust.offer(bytes(DIRECTORY))
    assert trust.offer(bytes(renewed)) is not None and trust.current is not None
    assert trust.current.digest == renewed.digest
    assert renewed.expires - renewed.issued == datetime.timedelta(minutes=1)
    with pytest.raises(dmr.AuthorityError) as role:
        authority.renew(DIRECTORY, FOUNDING.pin, FOUNDING.root_key)
    assert role.value.name == "authority.wrong-role"


def test_a_fork_is_evidence_and_nothing_is_sealed_under_it() -> None:
    trust = dmr.DirectoryTrust(FOUNDING.pin)
    ours, theirs = authority.renew(DIRECTORY, *KEEPING), authority.remove(DIRECTORY, *KEEPING, "tax")
    trust.offer(bytes(ours))
    with pytest.raises(dmr.TrustError) as refused:
        trust.offer(bytes(theirs))
    assert refused.value.name == "trust.forked"
    assert trust.fork == (bytes(ours), bytes(theirs))
    assert trust.current is not None and trust.current.is_forked
    with pytest.raises(dmr.SealError) as sealing:
        dmr.seal(TAX, trust.current, "police", b"")
    assert sealing.value.name == "seal.directory-forked"


def test_a_new_generation_of_keys_opens_what_was_sealed_to_either() -> None:
    old = dmr.seal(TAX, DIRECTORY, "police", b"old")
    police = POLICE.with_sealing_key().with_identity_key(login=False)
    assert police.participant == POLICE.participant and police.card() != POLICE.card()
    directory = authority.add(DIRECTORY, *KEEPING, [police.card()])
    entry = directory.participant("police")
    assert entry is not None and (len(entry.identity_keys), len(entry.sealing_keys)) == (2, 3)
    new = dmr.seal(TAX, directory, "police", b"new")
    assert dmr.open(police, directory, old).body == b"old" and dmr.open(police, directory, new).body == b"new"
    with pytest.raises(dmr.SealError) as refused:
        dmr.open(POLICE, directory, new)
    assert refused.value.name == "open.unknown-key"


def test_a_keyring_is_bounded_and_forgets_what_nothing_needs() -> None:
    keys = dmr.Keys.generate(uuid.uuid4(), "office", suite=1)
    for _ in range(15):
        keys = keys.with_sealing_key(suite=1)
    with pytest.raises(ValueError, match="16"):
        keys.with_sealing_key(suite=1)
    with pytest.raises(ValueError):
        keys.with_identity_key(sign=False, login=False)
    assert keys.without_expired(DIRECTORY.max_ttl).card() == keys.card()
    with pytest.raises(ValueError, match="ended"):
        keys.without_expired(0.0, now=1 << 60)
    lasting = dmr.Keys.generate(uuid.uuid4(), "office", suite=1).with_sealing_key(suite=1, not_after=1 << 61)
    left = lasting.without_expired(0.0, now=1 << 60)
    assert left.not_after == lasting.not_after and len(left.card()) < len(lasting.card())
    assert dmr.Keys.load(left.save()).card() == left.card()


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_keys_are_neither_pickled_nor_copied(attempt: object) -> None:
    assert callable(attempt)
    for keys in (TAX, FOUNDING.root_key, FOUNDING.directory_key):
        with pytest.raises(TypeError, match="secret"):
            attempt(keys)
