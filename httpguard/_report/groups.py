"""The leaks that logs tell of, by kind and site."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from .leak_lines import rank_of
from .lines import HOST, epoch, first_of, site_of, text_of, whole
from .tally import Tally

LOGGED: Final = ("timestamp", "@timestamp", "time", "ts", "asctime")
"""Names of when a line was logged, the first that is there."""

# All lines of a group and process have the same.
_begun: Final = lru_cache(maxsize=10_000)(epoch)
# Sites in processes whose minutes are told apart: 10 KB each.
_MOST_FINE: Final = 2000

Key = tuple[str, str, int, str]
"""What leaks are grouped by: kind, file, line, function."""


Sample = tuple[int, int, str]
"""What an example is made of; of two, the larger one is the more telling.

The rank (3 with a stack, 2 with one out of a list, 1 without, 0 of a text or with
nothing but a count), microseconds since 1970 (0: not known), and JSON.
"""


@dataclass(slots=True)
class Group:
    """The leaks of one kind at one site: by process, and the best example."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    sample: Sample | None = None

    def is_less_telling(self, rank: int, seen: int | None) -> bool:
        """Whether another sample is to be taken instead; the last of equal ones is."""
        return self.sample is None or self.sample[:2] <= (rank, seen or 0)


class Groups:
    """Counts leaks; may be pickled and merged. ``since`` as of `LogCounts`."""

    def __init__(self, since: int | None) -> None:
        self._since = since
        self.by_key: dict[Key, Group] = {}
        self._tallies = 0

    def merge(self, other: Groups) -> None:
        for key, group in other.by_key.items():
            mine = self.by_key.setdefault(key, Group())
            mine.sample = max(filter(None, (mine.sample, group.sample)), default=None)
            for process, tally in group.tallies.items():
                known = mine.tallies.setdefault(process, tally)
                if known is not tally:
                    known.merge(tally)

    def take(
        self, process: str, head: dict[str, Any], leak: dict[str, Any], document: str
    ) -> Group | None:
        """Take in what a line says of one leak; its group, if it is the example now.

        The leak is the line itself, or, where there is no text of it, out of a list in
        it.
        """
        seen = epoch(leak.get("last_seen"))
        if seen is None:
            seen = epoch(first_of(head, LOGGED))
        rank = 1 if "client" in leak else 0
        if leak.get("stack") != []:
            rank += ("stack" in leak) * (2 if document else 1)
        key = (text_of(leak["kind"]) or "", *site_of(leak["site"]))
        count, resolved = whole(leak.get("count"), 1), whole(leak.get("resolved"), 0)
        first = leak.get("first_seen")
        first = _begun(first) if isinstance(first, str) else None
        figures = (count, resolved, seen if first is None else first, seen)
        host, program = first_of(head, HOST), text_of(head.get("program"))
        group = self.add(key, process, figures, host, program)
        if group is None or not group.is_less_telling(rank, seen):
            return None
        group.sample = (rank, seen or 0, document or json.dumps(leak))
        return group

    def take_line(self, line: Any, seen: int, document: str) -> None:
        """Take in what one of our own lines says, as `leak_lines` has read it."""
        site = line.site
        key = (line.kind, site.filename, site.lineno, site.function)
        first = _begun(line.first_seen)
        figures = (line.count, line.resolved, seen if first is None else first, seen)
        group = self.add(key, line.run, figures, line.host, line.program)
        if group is not None and group.is_less_telling(rank := rank_of(line), seen):
            group.sample = (rank, seen, document)

    def add(
        self,
        key: Key,
        process: str,
        figures: tuple[int, int, int | None, int | None],
        host: str | None = None,
        program: str | None = None,
    ) -> Group | None:
        """Count a leak; its group, None where it is older than the time asked for."""
        group = self.by_key.get(key)
        if group is None:
            group = self.by_key[key] = Group()
        tally = group.tallies.get(process)
        if tally is None:
            self._tallies += 1
            fine = self._tallies < _MOST_FINE
            tally = group.tallies[process] = Tally(self._since, fine=fine)
        if not tally.add(*figures):
            return None
        # A line that does not say them may be of the same process.
        tally.host = tally.host or host or ""
        tally.program = tally.program or program or ""
        return group
