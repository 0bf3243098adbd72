"""The keeper's side: founding a network, and changing who is in its directory.

A real network's keeper uses ``dmr-agent directory``; this is the same in-process.
"""

from ._dmr import AuthorityKey, add, found, remove, renew, revoke
from .values import Founding

__all__ = ["AuthorityKey", "Founding", "add", "found", "remove", "renew", "revoke"]
