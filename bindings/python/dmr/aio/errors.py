"""What can go wrong for an agent beside what the table of errors names. Codes and names are as stable as there."""

from __future__ import annotations

import uuid

from dmr import DmrError


class AskError(DmrError):
    """A question has no answer. :class:`dmr.SendError` says when it was not even accepted."""

    def __init__(self, question: uuid.UUID, message: str) -> None:
        super().__init__(message)
        #: The question.
        self.question = question


class NoAnswer(AskError):
    """No answer came in time. A late one comes as a delivery."""

    code = 981
    name = "ask.deadline"


class QuestionFailed(AskError):
    """A recipient refused the question, signed."""

    code = 982
    name = "ask.failed"

    def __init__(self, question: uuid.UUID, message: str, reason: str) -> None:
        super().__init__(question, message)
        #: Why, in the stable words of ``docs/protocol.md``, such as ``refused``.
        self.reason = reason


class Declined(AskError):
    """A recipient declined to answer."""

    code = 983
    name = "ask.declined"


class StateError(DmrError):
    """The kept directory cannot be read or does not verify. Starting without it would let an older directory in, so it
    is the operator's to look at."""

    code = 984
    name = "state.unreadable"
