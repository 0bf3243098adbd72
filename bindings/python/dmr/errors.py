"""What can go wrong: one small hierarchy, with the stable codes and names that C and Rust share.

A name such as ``verify.bad-signature`` is never changed and never used for anything else; so is its code. The words may
become better. No error shows a secret or a plaintext.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from . import _dmr

_E = TypeVar("_E", bound="DmrError")
_S = TypeVar("_S", bound="SendError")


class DmrError(Exception):
    """Anything that DMR refuses."""

    #: The stable number of the error; its hundreds are its kind.
    code: int = 1
    #: The stable name of the error.
    name: str = "unknown"

    @classmethod
    def of(cls: type[_E], name: str, message: str) -> _E:
        """The error with this name of the table, and these words."""
        error = cls(message)
        error.name = name
        error.code = _dmr.ERRORS.get(name, (1, ""))[0]
        return error


class InputError(DmrError):
    """1xx: what was given is malformed, too long, or cannot be taken now."""


class DirectoryError(DmrError):
    """2xx: a directory or card is not well formed."""


class KeyringError(DmrError):
    """3xx: a key or a key file cannot be used, or there is no randomness."""


class TrustError(DmrError):
    """4xx: a signed document is not to be trusted."""


class AuthorityError(DmrError):
    """5xx: the directory does not allow what was asked."""


class VerifyError(DmrError):
    """6xx: an envelope's sender, a login or a server is not who it says."""


class SealError(DmrError):
    """7xx: it could not be sealed or opened."""


class CallError(DmrError):
    """8xx: the call itself is wrong."""


class SendError(DmrError):
    """9xx: an agent's message was not accepted."""

    #: Whether the same message may be accepted later, under the same id.
    retryable: bool = False
    #: Not before so many seconds; ``None``: no hint.
    retry_after: float | None = None

    #: The names with which trying again helps, for errors that are made in Python.
    _RETRYABLE: ClassVar[frozenset[str]] = frozenset({"unsealable.no-directory"})

    @classmethod
    def of(cls: type[_S], name: str, message: str) -> _S:
        """The error with this name of the table, and these words."""
        error = super().of(name, message)
        error.retryable = name in cls._RETRYABLE
        return error
