"""An office that takes part in a network by itself: what the test of both agents starts.

    office.py answer KEYS ROOT SERVER…              answers every question, and says which
    office.py ask KEYS ROOT TO COUNT SERVER…        asks COUNT questions, one after the other, and says what came back

With DMR_CA in the environment its certificates are trusted for wss://.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import dmr.aio


def chat(text: str) -> dict[str, Any]:
    """The payload of a ChatMessage with these words."""
    message = {
        "id": "5b1c0f5e-0b0e-4a57-9f51-6d1d1c8a1001",
        "chatId": "5b1c0f5e-0b0e-4a57-9f51-6d1d1c8a0001",
        "authorTimestamp": "2026-11-21T09:29:10.000Z",
        "authorRole": "end-user",
        "content": text,
    }
    return {"chat": {"id": message["chatId"], "created": "2026-11-21T09:28:41.210Z"}, "messages": [message]}


def said(payload: Any) -> str:
    """The words of a ChatMessage."""
    return str(payload["messages"][-1]["content"])


def agent(keys: str, root: str, servers: list[str]) -> dmr.aio.Agent:
    """The office's agent."""
    tls = dmr.aio.Tls(ca_file=os.environ.get("DMR_CA"))
    return dmr.aio.Agent(keys, servers, root, tls=tls, state=os.environ.get("DMR_STATE"))


async def answer(keys: str, root: str, servers: list[str]) -> None:
    """Answers every question until a signal comes."""
    async with agent(keys, root, servers) as office:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
        await office.ready()
        print("ready", flush=True)
        async for delivery in office:
            message = delivery.message
            words = said(message.json())
            print("question", message.id, message.sender_name, words, flush=True)
            try:
                await delivery.answer(chat(f"Python read: {words}"), type="ChatMessage")
            except dmr.SendError as error:
                print("not answered", message.id, error, flush=True)
            else:
                print("answered", message.id, flush=True)


async def ask(keys: str, root: str, to: str, count: int, servers: list[str]) -> None:
    """Asks one question after the other."""
    async with agent(keys, root, servers) as office:
        for number in range(count):
            got = await office.ask(to, chat(f"Question {number}"), type="ChatMessage", timeout=60)
            print("answer", number, got.sender_name, said(got.json()), flush=True)
        print("done", flush=True)


def main() -> None:
    """Does what the arguments say."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    what, keys, root, *rest = sys.argv[1:]
    try:
        if what == "answer":
            asyncio.run(answer(keys, root, rest))
        else:
            asyncio.run(ask(keys, root, rest[0], int(rest[1]), rest[2:]))
    except asyncio.CancelledError:
        print("ended", flush=True)


main()
