"""Takes in lines of any log, and counts the leaks that they tell of."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from .lines import (
    HOST,
    Damaged,
    epoch,
    first_of,
    name_of,
    parsed,
    process_of,
    site_of,
    text_of,
    whole,
    without_stack,
)
from .notice import Notice, notice_of
from .tally import Tally, time_of
from .texts import TextLeak, find_leak, find_time

SCHEMA: Final = 1
"""The newest schema of JSON lines that is understood."""

MOST_DAMAGED: Final = 20
"""So many damaged lines are named; all are counted."""

_LEAK_EVENTS: Final = ("httpguard.leak", "httpguard.resolved")
_SUMMARY: Final = "httpguard.summary"
_COUNTS: Final = "httpguard.counts"
# Names of what a line may have, the first that is there.
_LOGGED: Final = ("timestamp", "@timestamp", "time", "ts", "asctime")
# Where collectors and formatters put the text of a line they wrap.
_WRAPPED: Final = ("log", "message", "MESSAGE", "msg", "event")
_MOST_NOTICES: Final = 1000
_MOST_TIMES: Final = 10_000
_CUT_SHORT: Final = "cut short"

Key = tuple[str, str, int, str]
"""What leaks are grouped by: kind, file, line, function."""


Sample = tuple[int, int, str]
"""What an example is made of; of two, the larger one is the more telling.

The rank (3 with a stack, 2 with one out of a list, 1 without, 0 of a text or with
nothing but a count), microseconds since 1970 (0: not known), and JSON or one of our
one-line texts.
"""


@dataclass(slots=True)
class Group:
    """The leaks of one kind at one site: by process, and the best example."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    sample: Sample | None = None

    def is_less_telling(self, rank: int, seen: int | None) -> bool:
        """Whether another sample is to be taken instead; the last of equal ones is."""
        return self.sample is None or self.sample[:2] <= (rank, seen or 0)


class Observer:
    """What was seen in any number of lines; may be pickled and merged.

    Args:
        since: Microseconds since 1970; what is older only serves to tell what is
            new. None: everything counts.
    """

    def __init__(self, since: int | None = None) -> None:
        self.since = since
        self.lines = 0
        self.groups: dict[Key, Group] = {}
        self.notices: dict[tuple[str, str], Notice] = {}
        # How many lines of each event, and how many damaged ones by what is wrong.
        self.events = Counter[str]()
        self.problems = Counter[str]()
        self.damaged: list[Damaged] = []
        # How many lines of each file are ours.
        self.ours = Counter[str]()
        # Processes that summed up at their end, and that told their counts meanwhile.
        self.ended: set[str] = set()
        self.counted: set[str] = set()
        self._times: dict[str, int | None] = {}
        # Of a text, the hint is on the next line but one.
        self._without_fix: tuple[str, Group] | None = None

    def begin(self, file: str) -> None:
        """A file is about to be read."""
        self.ours[file] += 0

    def note_damage(self, file: str, number: int | None, problem: str) -> None:
        """Count a line that could not be read, and name it if it is of the first."""
        self.problems[problem] += 1
        if len(self.damaged) < MOST_DAMAGED:
            self.damaged.append(Damaged(file, number, problem))

    def merge(self, other: Observer) -> None:
        """Take in what was seen in another part of the logs."""
        self.lines += other.lines
        for key, group in other.groups.items():
            mine = self.groups.setdefault(key, Group())
            mine.sample = max(filter(None, (mine.sample, group.sample)), default=None)
            for process, tally in group.tallies.items():
                known = mine.tallies.setdefault(process, tally)
                if known is not tally:
                    known.merge(tally)
        for name, notice in other.notices.items():
            self.notices.setdefault(name, Notice(notice.event)).merge(notice)
        self.events.update(other.events)
        self.problems.update(other.problems)
        self.damaged = (self.damaged + other.damaged)[:MOST_DAMAGED]
        self.ours.update(other.ours)
        self.ended |= other.ended
        self.counted |= other.counted

    def observe(self, file: str, line: str) -> str | None:
        """Take in a line.

        Args:
            file: The name of its file.
            line: Without its end.

        Returns:
            What is wrong with it, if it should be one of ours and cannot be read.
        """
        ours = '"httpguard.' in line
        if not ours and line.startswith("{") and not line.endswith("}"):
            return _CUT_SHORT
        brace = line.find("{")
        document = line[brace:] if brace > 0 else line if brace == 0 else ""
        fields = parsed(without_stack(document))
        if fields is None:
            if ours:
                # A mention of an event's name in a sentence is no damage.
                return "not JSON" if document else None
            self._observe_text(file, line, line, {})
            return None
        if not ours:
            inner = first_of(fields, _WRAPPED)
            self._observe_text(file, line if inner is None else inner, line, fields)
            return None
        return self._observe_event(file, fields, document)

    def _observe_event(
        self, file: str, fields: dict[str, Any], document: str
    ) -> str | None:
        """Take in a document; says what is wrong with it."""
        event = name_of(fields)
        if event is None:
            # As the text of a member, written by a collector.
            inner = first_of(fields, _WRAPPED) or ""
            document = inner[inner.find("{") :] if "{" in inner else ""
            fields = parsed(document) or {}
            event = name_of(fields)
            if event is None:
                return None
        self.ours[file] += 1
        if whole(fields.get("schema"), 0) > SCHEMA:
            return "of a newer schema"
        if event not in _LEAK_EVENTS:
            self._observe_others(file, event, fields)
        elif fields.get("kind") is None or fields.get("site") is None:
            return "without kind or site"
        else:
            self._observe_leak(file, fields, fields, document)
        self.events[event] += 1
        return None

    def _observe_others(self, file: str, event: str, fields: dict[str, Any]) -> None:
        """Take in what is no single leak: a list of them, or none."""
        leaks = fields.get("leaks")
        for leak in leaks if isinstance(leaks, list) else ():
            if isinstance(leak, dict) and leak.get("kind") and leak.get("site"):
                self._observe_leak(file, fields, leak, "")
        if event == _SUMMARY:
            self.ended.add(process_of(file, fields))
        elif event == _COUNTS:
            self.counted.add(process_of(file, fields))
        else:
            self._observe_notice(event, fields)

    def _observe_notice(self, event: str, fields: dict[str, Any]) -> None:
        """Take in what is said of pools and of the process."""
        seen = epoch(first_of(fields, _LOGGED))
        if self.since is not None and (seen is None or seen < self.since):
            return
        notice = notice_of(event, fields, time_of(seen))
        name = (notice.event, notice.subject)
        if name in self.notices or len(self.notices) < _MOST_NOTICES:
            self.notices.setdefault(name, Notice(notice.event)).merge(notice)

    def _observe_leak(
        self, file: str, head: dict[str, Any], leak: dict[str, Any], document: str
    ) -> None:
        """Take in what a document says of one leak.

        Args:
            head: What the line has.
            leak: The line itself, or an element of a list in it.
            document: The text of the line; empty: the leak is out of a list.
        """
        seen = epoch(leak.get("last_seen"))
        if seen is None:
            seen = epoch(first_of(head, _LOGGED))
        first = self._first_seen(leak.get("first_seen"))
        kind, site = leak["kind"], leak["site"]
        try:
            # Nearly always it is known, and needs no second look.
            group = self.groups[
                kind, site["filename"], site["lineno"], site["function"]
            ]
        except (KeyError, TypeError):
            group = self._group((text_of(kind) or "", *site_of(site)))
        told = self._add(
            group,
            process_of(file, head),
            head,
            (
                whole(leak.get("count"), 1),
                whole(leak.get("resolved"), 0),
                seen if first is None else first,
                seen,
            ),
        )
        rank = 1 if "client" in leak else 0
        if leak.get("stack") != []:
            rank += ("stack" in leak) * (2 if document else 1)
        if told and group.is_less_telling(rank, seen):
            group.sample = (rank, seen or 0, document or json.dumps(leak))

    def _first_seen(self, text: Any) -> int | None:
        """As `epoch`; all lines of a group and process have the same."""
        if not isinstance(text, str):
            return None
        if text not in self._times:
            if len(self._times) >= _MOST_TIMES:
                self._times.clear()
            self._times[text] = epoch(text)
        return self._times[text]

    def _observe_text(
        self, file: str, text: str, line: str, head: dict[str, Any]
    ) -> None:
        """Take in a text, which may be one of ours."""
        leak: TextLeak | None = find_leak(text)
        if leak is None:
            self._observe_fix(file, text)
            return
        self.ours[file] += 1
        seen = epoch(find_time(first_of(head, _LOGGED) or line))
        if leak.final:
            self.ended.add(process_of(file, head))
        group = self._group((leak.kind, leak.filename, leak.lineno, leak.function))
        figures = (leak.count, leak.resolved, seen, seen)
        told = self._add(group, process_of(file, head), head, figures)
        if told and group.is_less_telling(0, seen):
            group.sample = (0, seen or 0, text)
            self._without_fix = None if leak.hint else (file, group)

    def _observe_fix(self, file: str, text: str) -> None:
        """Take in the hint that belongs to the text before."""
        if text.startswith("  fix: ") and self._without_fix is not None:
            (known, group), self._without_fix = self._without_fix, None
            if known == file and group.sample is not None:
                rank, seen, sample = group.sample
                group.sample = (rank, seen, f"{sample}\n{text}")

    def _group(self, key: Key) -> Group:
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group()
        return group

    def _add(
        self,
        group: Group,
        process: str,
        head: dict[str, Any],
        figures: tuple[int, int, int | None, int | None],
    ) -> bool:
        """Count a leak; says whether it is of the time asked for."""
        tally = group.tallies.get(process)
        if tally is None:
            tally = group.tallies[process] = Tally(self.since)
        if not tally.add(*figures):
            return False
        # A line that does not say them may be of the same process.
        if not tally.host:
            tally.host = first_of(head, HOST) or ""
        if not tally.program:
            tally.program = text_of(head.get("program")) or ""
        return True
