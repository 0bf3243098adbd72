"""The JSON that agents exchange over their HTTP API: ``{"timestamp", "type", "payload"}``."""

from __future__ import annotations

import datetime
import json
from typing import Any

from dmr import CallError

#: Media type of the sealed body. An institution whose programs use the webhook of ``dmr-agent`` reads no other.
MESSAGE_TYPE = "application/vnd.dmr.message+json"

#: The ``type`` of a payload for which none is given.
DEFAULT_TYPE = "Message"

#: Longest ``type``, in bytes.
_MAX_TYPE = 128


def encode(payload: Any, type_name: str) -> bytes:
    """The body that holds ``payload``.

    Raises:
        dmr.CallError: ``type_name`` is empty, longer than 128 bytes or has control characters.
        TypeError, ValueError: ``payload`` is not JSON.
    """
    if not 0 < len(type_name.encode()) <= _MAX_TYPE or any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in type_name):
        raise CallError.of("call.out-of-range", "a type has 1 to 128 bytes without control characters")
    written = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = {"timestamp": written, "type": type_name, "payload": payload}
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def decode(body: bytes) -> tuple[str, Any] | None:
    """The type and the payload that ``body`` holds; ``None`` when it is of another form."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.keys() != {"timestamp", "type", "payload"}:
        return None
    if not isinstance(message["type"], str) or not isinstance(message["timestamp"], str):
        return None
    return message["type"], message["payload"]
