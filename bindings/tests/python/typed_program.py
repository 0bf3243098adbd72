"""A program as its users write it, for mypy --strict."""

from __future__ import annotations

import datetime
import uuid

import dmr
import dmr.aio
from dmr import authority


def seals() -> bytes:
    """Uses what is there, with its types."""
    keys: dmr.Keys = dmr.Keys.generate(uuid.uuid4(), "tax", suite=dmr.Suite.X25519)
    founding: authority.Founding = authority.found("typed")
    directory: dmr.Directory = authority.add(founding.directory, founding.pin, founding.directory_key, [keys.card()])
    envelope: dmr.Envelope = dmr.seal(keys, directory, ["tax"], memoryview(b"x"), kind=dmr.Kind.EVENT, ttl=5)
    opened: dmr.Opened = dmr.open(keys, directory, bytes(envelope), now=datetime.datetime.now(datetime.timezone.utc))
    sender: uuid.UUID = opened.sender
    reference: dmr.Reference = opened.reference
    assert sender == keys.participant and reference.id == envelope.id
    return opened.body


async def asks(agent: dmr.aio.Agent) -> str:
    """The same with an agent."""
    try:
        answer: dmr.aio.Message = await agent.ask("police", {"report": "2026-00417"}, timeout=5)
    except dmr.aio.NoAnswer as late:
        question: uuid.UUID = late.question
        return str(question)
    except dmr.SendError as refused:
        again: float | None = refused.retry_after
        return refused.name if again is None else str(again)
    async for delivery in agent:
        await delivery.ack()
    return answer.text()
