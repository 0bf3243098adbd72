"""Section 7 of docs/protocol.md, "Which directory to believe"."""

import documents
from encoding import demand, plus


class Trust:
    """What was seen, and the directory in use."""

    def __init__(self, pin):
        self.pin, self.current, self.forked = pin, None, False
        self.highest = {}

    def offer(self, bundle, now):
        offered = documents.read_bundle(bundle, self.pin, now)
        current = self.current
        if current is None:
            self.adopt(offered, now, True)
            return
        root, newer = offered["root"], offered["root"]["version"] > current["root"]["version"]
        demand(root["version"] >= current["root"]["version"], "an older root document")
        demand(newer or root["digest"] == current["root"]["digest"], "two root documents of one version")
        same = offered["digest"] == current["digest"]
        if same and not newer:
            return
        known = max((revision for key, revision in self.highest.items() if key in root["trusted"]), default=0)
        revision = offered["revision"]
        demand(revision >= known, "an older directory")
        if not same:
            self.unless_forked(revision != known, "two directories of one revision")
            higher = revision > current["revision"] or offered["issued"] >= current["issued"]
            demand(higher, "an older directory of another key")
            follows = offered["previous"] == current["digest"]
            self.unless_forked(follows or newer or revision != current["revision"] + 1, "another predecessor")
        self.adopt(offered, now, newer or same or offered["previous"] == current["digest"])

    def unless_forked(self, holds, why):
        self.forked = self.forked or not holds
        demand(holds, why)

    def adopt(self, offered, now, resolves):
        demand(now <= plus(offered["ends"], documents.DAY), "expired")
        self.forked = self.forked and not resolves
        self.highest = {key: seen for key, seen in self.highest.items() if key in offered["root"]["trusted"]}
        key = offered["signed_by"]
        self.highest[key] = max(self.highest.get(key, 0), offered["revision"])
        self.current = offered
