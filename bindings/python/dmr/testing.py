"""A network of made-up participants, for the tests of programs that use DMR."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from ._dmr import Directory, Keys, Pin, add, found
from .values import Suite


class Network(NamedTuple):
    """Keys of every participant, and the directory that lists them."""

    #: The keys, by the participant's name.
    keys: dict[str, Keys]
    #: The root keys.
    pin: Pin
    #: The directory that lists them all.
    directory: Directory


def network(*names: str, suite: Suite = Suite.X_WING) -> Network:
    """A new network with these participants, whose keys exist nowhere else.

    >>> network("tax", "police").directory.participant("police").status
    'active'
    """
    keys = {name: Keys.generate(uuid.uuid4(), name, suite=suite) for name in names}
    founding = found("testing")
    cards = [each.card() for each in keys.values()]
    directory = add(founding.directory, founding.pin, founding.directory_key, cards)
    return Network(keys, founding.pin, directory)
