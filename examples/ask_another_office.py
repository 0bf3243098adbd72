"""Two institutions in one program and a server beside it: the simplest use of the agent for asyncio.

    pip install './bindings[aio]' && cargo build -p dmr-server && python examples/ask_another_office.py

Between institutions each of the three runs on a machine of its own, and the directory comes from its keeper.
"""

import asyncio
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import uuid

import dmr
import dmr.aio
from dmr import authority

SERVER = os.environ.get("DMR_SERVER", "target/debug/dmr-server")
REGISTER = {"2026-00417": "recorded as stolen since 14 November 2026", "2026-00398": "found; the case is closed"}


async def answer_all(police: dmr.aio.Agent) -> None:
    """The Police's chatbot: answers whatever it is asked."""
    async for delivery in police:
        number = delivery.message.json()["report"]
        # Nothing is acknowledged before this: forgotten, the delivery would come again.
        await delivery.answer({"report": number, "state": REGISTER.get(number, "not in our register")})


async def converse(tax: dmr.Keys, police: dmr.Keys, pin: dmr.Pin, server: str) -> None:
    """The Tax Authority asks, the Police answer."""
    async with dmr.aio.Agent(police, server, pin) as office, dmr.aio.Agent(tax, server, pin) as agent:
        answering = asyncio.create_task(answer_all(office))
        await office.ready(timeout=10)
        question = {"report": sys.argv[1] if len(sys.argv) > 1 else "2026-00417"}
        print(f"tax-authority asks: {question}")
        answer = await agent.ask("police", question, timeout=10)
        print(f"police answers:     {answer.json()}")
        answering.cancel()


def main() -> None:
    """Founds a network, starts its server, and lets the two talk."""
    # Keys of both institutions, and a directory that lists them.
    tax = dmr.Keys.generate(uuid.UUID("0193a5c8-7e1d-7cc2-8f4e-000000000001"), "tax-authority")
    police = dmr.Keys.generate(uuid.UUID("0193a5c8-7e1d-7cc2-8f4e-000000000002"), "police")
    network = authority.found("demo")
    cards = [tax.card(), police.card()]
    directory = authority.add(network.directory, network.pin, network.directory_key, cards)

    # The server. It is given the directory and no key.
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as free:
        files, port = pathlib.Path(name), free.getsockname()[1]
        free.close()
        (files / "directory.jws").write_bytes(bytes(directory))
        (files / "root.pub").write_bytes(network.pin.save())
        settings = {"directory": files / "directory.jws", "root": files / "root.pub", "network": "demo", "name": "relay",
                    "listen": f"127.0.0.1:{port}", "admin": "127.0.0.1:0", "log": "error"}
        arguments = [part for option, value in settings.items() for part in (f"--{option}", str(value))]
        server = subprocess.Popen([SERVER, "run", *arguments])
        try:
            asyncio.run(converse(tax, police, network.pin, f"ws://127.0.0.1:{port}"))
        finally:
            server.terminate()
            server.wait()


main()
