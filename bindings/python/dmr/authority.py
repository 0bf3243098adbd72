"""The keeper's side: founding a network, and adding participants to its directory.

A real network's keeper uses ``dmr-agent directory``; this is the same in-process.
"""

from ._dmr import AuthorityKey, add, found
from .values import Founding

__all__ = ["AuthorityKey", "Founding", "add", "found"]
