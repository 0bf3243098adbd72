"""Every refusal is one of the table's, with its code and name."""

from __future__ import annotations

import copy
import datetime
import pickle
import subprocess
import sys
import uuid

import pytest

import dmr
from dmr import _dmr, errors, testing

NETWORK = testing.network("tax", "police")
TAX, POLICE = NETWORK.keys["tax"], NETWORK.keys["police"]
DIRECTORY = NETWORK.directory


def test_every_row_of_the_table_has_its_exception() -> None:
    assert len(_dmr.ERRORS) > 120
    codes = [code for code, _ in _dmr.ERRORS.values()]
    assert len(set(codes)) == len(codes)
    for name, (code, exception) in _dmr.ERRORS.items():
        error = getattr(errors, exception).of(name, "words")
        assert isinstance(error, dmr.DmrError) and type(error) is not dmr.DmrError
        assert (error.code, error.name, str(error)) == (code, name, "words")
        assert getattr(dmr, exception) is type(error)


@pytest.mark.parametrize(
    ("name", "exception", "attempt"),
    [
        ("decode.invalid", dmr.InputError, lambda: dmr.Envelope.decode(b"no envelope")),
        ("decode.too-long", dmr.InputError, lambda: dmr.Envelope.decode(bytes(dmr.ENVELOPE_LIMIT + 1))),
        ("id.not-name", dmr.InputError, lambda: dmr.Keys.generate(uuid.uuid4(), "Not A Name")),
        ("id.not-uuid", dmr.InputError, lambda: dmr.Keys.generate("nothing", "name")),
        ("id.nil", dmr.InputError, lambda: dmr.Keys.generate(uuid.UUID(int=0), "name")),
        ("encode.too-long", dmr.InputError, lambda: dmr.seal(TAX, DIRECTORY, "police", bytes(dmr.MESSAGE_LIMIT + 1))),
        ("key-file.malformed", dmr.KeyringError, lambda: dmr.Keys.load("{}")),
        ("call.too-long", dmr.CallError, lambda: dmr.Keys.load(bytes(1 << 20))),
        ("call.out-of-range", dmr.CallError, lambda: dmr.Keys.generate(uuid.uuid4(), "name", suite=9)),
        ("call.wrong-length", dmr.CallError, lambda: dmr.seal(TAX, DIRECTORY, "police", "", in_reply_to=(uuid.uuid4(), b"short"))),
        ("root.json", dmr.TrustError, lambda: dmr.Pin.load("{}")),
        ("refused.form", dmr.TrustError, lambda: dmr.Directory.verify(b"", NETWORK.pin)),
        ("verify.unknown-recipient", dmr.VerifyError, lambda: dmr.seal(TAX, DIRECTORY, "nobody", "")),
        ("verify.unknown-recipient", dmr.VerifyError, lambda: dmr.seal(TAX, DIRECTORY, uuid.uuid4(), "")),
        ("seal.recipient-count", dmr.SealError, lambda: dmr.seal(TAX, DIRECTORY, [], "")),
        ("seal.recipient-count", dmr.SealError, lambda: dmr.seal(TAX, DIRECTORY, ["police"] * 1_000, "")),
        ("seal.repeated-recipient", dmr.SealError, lambda: dmr.seal(TAX, DIRECTORY, ["police", "police"], "")),
        ("seal.bad-lifetime", dmr.SealError, lambda: dmr.seal(TAX, DIRECTORY, "police", "", ttl=1e9)),
        ("open.not-recipient", dmr.SealError, lambda: dmr.open(TAX, DIRECTORY, dmr.seal(TAX, DIRECTORY, "police", ""))),
        ("verify.expired", dmr.VerifyError, lambda: dmr.open(POLICE, DIRECTORY, dmr.seal(TAX, DIRECTORY, "police", "", ttl=1), now=1_999_999_999_999)),
    ],
)
def test_a_refusal_says_what_it_is(name: str, exception: type[dmr.DmrError], attempt: object) -> None:
    assert callable(attempt)
    with pytest.raises(exception) as refused:
        attempt()
    assert refused.value.name == name
    assert refused.value.code == _dmr.ERRORS[name][0]
    assert str(refused.value)


def test_a_wrong_type_is_a_type_error_and_a_naive_time_a_value_error() -> None:
    for attempt in (
        lambda: dmr.seal(TAX, DIRECTORY, 7, ""),  # type: ignore[arg-type]
        lambda: dmr.seal(TAX, DIRECTORY, "police", 7),  # type: ignore[arg-type]
        lambda: dmr.open(TAX, DIRECTORY, None),  # type: ignore[arg-type]
        lambda: dmr.seal("tax", DIRECTORY, "police", ""),  # type: ignore[arg-type]
        lambda: dmr.seal(TAX, DIRECTORY, "police", "", created="now"),  # type: ignore[arg-type]
        lambda: pickle.dumps(TAX),
        lambda: copy.deepcopy(TAX),
    ):
        with pytest.raises(TypeError):
            attempt()
    for moment in (datetime.datetime(2026, 1, 1), datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone.utc)):
        with pytest.raises(ValueError):
            dmr.seal(TAX, DIRECTORY, "police", "", created=moment)
    for seconds in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError):
            dmr.seal(TAX, DIRECTORY, "police", "", ttl=seconds)


def test_errors_can_be_pickled() -> None:
    error = dmr.VerifyError.of("verify.bad-signature", "words")
    again = pickle.loads(pickle.dumps(error))
    assert (again.name, again.code, str(again)) == (error.name, error.code, "words")


def test_without_its_extra_the_agent_says_what_to_install() -> None:
    program = "import sys; sys.modules['websockets'] = None; import dmr; import dmr.aio"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("dmr.aio needs the extra aio: pip install 'dmr-sdk[aio]'")
