"""What is taken and what is refused at the edge."""

from __future__ import annotations

import array
import datetime
import itertools
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import dmr
from dmr import authority, testing

NETWORK = testing.network("tax", "police")
TAX, POLICE = NETWORK.keys["tax"], NETWORK.keys["police"]
DIRECTORY = NETWORK.directory
UTC = datetime.timezone.utc
KOLKATA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


class Nowhere(datetime.tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, _: datetime.datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, _: datetime.datetime | None) -> None:
        return None


def seal(body: Any = b"x", to: Any = "police", **options: Any) -> dmr.Envelope:
    """A message from the tax authority."""
    return dmr.seal(TAX, DIRECTORY, to, body, **options)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_every_buffer_is_taken_and_bytes_are_given(form: Callable[[bytes], Any]) -> None:
    opened = dmr.open(POLICE, DIRECTORY, form(bytes(seal(form(b"abc")))))
    assert opened.body == b"abc" and type(opened.body) is bytes


def test_a_buffer_with_gaps_is_taken_in_its_order() -> None:
    assert dmr.open(POLICE, DIRECTORY, seal(memoryview(b"a.b.c.")[::2])).body == b"abc"


@pytest.mark.parametrize("wrong", [5, None, [1, 2], object()])
def test_what_is_no_buffer_is_a_type_error(wrong: Any) -> None:
    for attempt in (lambda: seal(wrong), lambda: dmr.Envelope.decode(wrong), lambda: dmr.Keys.load(wrong)):
        with pytest.raises(TypeError):
            attempt()


def test_a_time_is_an_aware_datetime_or_milliseconds() -> None:
    # A second more, so that it is never before the keys were made; clocks may differ by more than that.
    moment = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)).replace(microsecond=123_000)
    milliseconds = int(moment.timestamp()) * 1_000 + 123
    for given in (moment, moment.astimezone(KOLKATA), milliseconds):
        assert seal(created=given).created == moment
    assert seal().created.tzinfo is UTC


@pytest.mark.parametrize("zone", [None, Nowhere()])
def test_a_datetime_that_names_no_moment_is_refused(zone: datetime.tzinfo | None) -> None:
    with pytest.raises(ValueError, match="naive"):
        dmr.verify(seal(), DIRECTORY, now=datetime.datetime(2026, 1, 1, tzinfo=zone))


@pytest.mark.parametrize("wrong", [-1, 1 << 64, datetime.datetime(1969, 1, 1, tzinfo=UTC)])
def test_a_time_out_of_range_is_refused(wrong: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        dmr.verify(seal(), DIRECTORY, now=wrong)


@pytest.mark.parametrize("wrong", [1.5, "2026-01-01", b"", datetime.timedelta(1)])
def test_what_is_no_time_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        dmr.verify(seal(), DIRECTORY, now=wrong)


def test_a_span_is_seconds_and_only_one_end_is_given() -> None:
    envelope = seal(ttl=1.5)
    assert envelope.expires - envelope.created == datetime.timedelta(milliseconds=1500)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            seal(ttl=wrong)
    with pytest.raises(TypeError):
        seal(ttl=1.0, expires=datetime.datetime.now(UTC))


def test_a_time_past_pythons_calendar_is_its_end() -> None:
    keys = dmr.Keys.generate(uuid.uuid4(), "tax", not_after=(1 << 64) - 1)
    assert keys.not_after is not None and keys.not_after.year == 9999


def test_keys_that_serve_for_no_time_are_refused() -> None:
    with pytest.raises(ValueError):
        dmr.Keys.generate(uuid.uuid4(), "tax", not_before=5, not_after=5)


def test_an_iterator_without_an_end_is_not_followed() -> None:
    for endless in (itertools.repeat("police"), (TAX.participant for _ in itertools.count())):
        with pytest.raises(dmr.SealError) as refused:
            seal(to=endless)
        assert refused.value.name == "seal.recipient-count"


def test_an_id_in_a_text_is_never_a_name() -> None:
    disguised = dmr.Keys.generate(uuid.uuid4(), str(TAX.participant))
    founding = authority.found("demo")
    cards = [disguised.card(), TAX.card(), POLICE.card()]
    directory = authority.add(founding.directory, founding.pin, founding.directory_key, cards)
    envelope = dmr.seal(POLICE, directory, str(TAX.participant), b"")
    assert envelope.recipients == (TAX.participant,)


def test_classes_are_frozen_and_not_subclassed() -> None:
    for value in (TAX, DIRECTORY, NETWORK.pin, seal()):
        for attribute in ("network", "name", "anything"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(value, attribute, "other")
        with pytest.raises(TypeError):
            type("Sub", (type(value),), {})
    with pytest.raises(TypeError):
        dmr.Keys()


def test_an_argument_of_another_class_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        dmr.open(DIRECTORY, TAX, seal())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        dmr.Directory.verify(bytes(DIRECTORY), b"pin")  # type: ignore[arg-type]


def test_the_largest_message_goes_and_a_header_is_there_to_read() -> None:
    body = bytes(dmr.MESSAGE_LIMIT - 64)
    envelope = seal(body, kind=77)
    assert dmr.open(POLICE, DIRECTORY, envelope).body == body
    tax = DIRECTORY.participant("tax")
    assert tax is not None and (envelope.sender_key,) == tax.identity_keys
    assert (envelope.network, envelope.kind, envelope.directory_digest) == ("testing", 77, DIRECTORY.digest)
    assert envelope.expires - envelope.created == datetime.timedelta(seconds=DIRECTORY.max_ttl)
    assert envelope.id.version == 7 and envelope.id.int >> 80 == int(envelope.created.timestamp() * 1_000 + 0.5)
