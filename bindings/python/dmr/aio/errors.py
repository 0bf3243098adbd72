"""Why a question has no answer."""

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
