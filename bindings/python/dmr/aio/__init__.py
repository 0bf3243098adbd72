"""A whole agent for asyncio: a service takes part in the network by itself.

>>> import dmr.aio
>>> async def main():
...     async with dmr.aio.Agent("tax.keys", "wss://relay.example.org", "root.pub") as agent:
...         answer = await agent.ask("police", {"report": "2026-00417"})

It needs the extra ``aio``: ``pip install 'dmr-sdk[aio]'``. What it does with answers, receipts, copies and lost links is
decided by the same Rust code as in ``dmr-agent``; here are the sockets (``websockets``, and ``pyOpenSSL`` for TLS whose
exporter a login is bound to) and the waiting.

Start with :class:`Agent` and :class:`Delivery`.
"""

from importlib.util import find_spec as _find_spec

if _find_spec("websockets") is None:
    raise ModuleNotFoundError("dmr.aio needs the extra aio: pip install 'dmr-sdk[aio]'", name="websockets")

from .agent import Agent, Recipient
from .delivery import Delivery, Message
from .errors import AskError, Declined, NoAnswer, QuestionFailed, StateError
from .json_message import MESSAGE_TYPE
from .tls import Tls

__all__ = [
    "MESSAGE_TYPE",
    "Agent",
    "AskError",
    "Declined",
    "Delivery",
    "Message",
    "NoAnswer",
    "QuestionFailed",
    "Recipient",
    "StateError",
    "Tls",
]
