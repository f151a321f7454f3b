"""Takes in lines of any log, and counts the leaks that they tell of."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final

from .._model.event import LEAK
from .groups import LOGGED, Group, Groups
from .leak_lines import MARK, read_leak
from .lines import (
    Damaged,
    epoch,
    find_leak,
    find_time,
    first_of,
    name_of,
    parsed,
    process_of,
    whole,
)
from .notice import Notice, notice_of
from .tally import time_of

SCHEMA: Final = 1
"""The newest schema of JSON lines that is understood."""

MOST_DAMAGED: Final = 20
"""So many damaged lines are named; all are counted."""

_LEAK_EVENTS: Final = ("httpguard.leak", "httpguard.resolved")
_SUMMARY: Final = "httpguard.summary"
_COUNTS: Final = "httpguard.counts"
# Where collectors and formatters put the text of a line they wrap.
_WRAPPED: Final = ("log", "message", "MESSAGE", "msg", "event")
_MOST_NOTICES: Final = 1000
_CUT_SHORT: Final = "cut short"


class LogCounts:
    """What was seen in any number of lines; may be pickled and merged.

    What is older than `since`, in microseconds since 1970, only serves to tell what is
    new.
    """

    def __init__(self, since: int | None = None) -> None:
        self.since = since
        self.lines = 0
        self.leaks = Groups(since)
        self.notices: dict[tuple[str, str], Notice] = {}
        # How many lines of each event, and how many damaged ones by what is wrong.
        self.events = Counter[str]()
        self.problems = Counter[str]()
        self.damaged: list[Damaged] = []
        # How many lines of each file are ours.
        self.ours = Counter[str]()
        # Processes that summed up at their end.
        self.ended: set[str] = set()
        # Of a text, the hint is on the next line but one.
        self._without_fix: tuple[str, Group] | None = None

    def begin(self, file: str) -> None:
        self.ours[file] += 0

    def note_damage(self, file: str, number: int | None, problem: str | None) -> None:
        """Count a line that could not be read, if there is a problem with it."""
        if problem is None:
            return
        self.problems[problem] += 1
        if len(self.damaged) < MOST_DAMAGED:
            self.damaged.append(Damaged(file, number, problem))

    def merge(self, other: LogCounts) -> LogCounts:
        self.lines += other.lines
        self.leaks.merge(other.leaks)
        for name, notice in other.notices.items():
            self.notices.setdefault(name, Notice(notice.event)).merge(notice)
        self.events.update(other.events)
        self.problems.update(other.problems)
        self.damaged = (self.damaged + other.damaged)[:MOST_DAMAGED]
        self.ours.update(other.ours)
        self.ended |= other.ended
        return self

    def take(self, file: str, line: str) -> str | None:
        """Take in a line without its end; says what is wrong with one of ours."""
        leak = read_leak(line) if MARK in line else None
        if leak is not None and leak.schema <= SCHEMA:
            seen = epoch(leak.last_seen)
            if seen is not None:
                self.ours[file] += 1
                self.events[LEAK] += 1
                self.leaks.take_line(leak, seen, line)
                return None
        ours = '"httpguard.' in line
        if not ours and line.startswith("{") and not line.endswith("}"):
            return _CUT_SHORT
        brace = line.find("{")
        document = line[brace:] if brace > 0 else line if brace == 0 else ""
        fields = parsed(document)
        if fields is None:
            if ours:
                # A mention of an event's name in a sentence is no damage.
                return "not JSON" if document else None
            self._take_text(file, line, line, {})
            return None
        if not ours:
            inner = first_of(fields, _WRAPPED)
            self._take_text(file, line if inner is None else inner, line, fields)
            return None
        return self._take_event(file, fields, document)

    def _take_event(
        self, file: str, fields: dict[str, Any], document: str
    ) -> str | None:
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
            self._take_others(file, event, fields)
        elif fields.get("kind") is None or fields.get("site") is None:
            return "without kind or site"
        else:
            self.leaks.take(process_of(file, fields), fields, fields, document)
        self.events[event] += 1
        return None

    def _take_others(self, file: str, event: str, fields: dict[str, Any]) -> None:
        process = process_of(file, fields)
        leaks = fields.get("leaks")
        for leak in leaks if isinstance(leaks, list) else ():
            if isinstance(leak, dict) and leak.get("kind") and leak.get("site"):
                self.leaks.take(process, fields, leak, "")
        if event == _SUMMARY:
            self.ended.add(process)
        elif event != _COUNTS:
            self._take_notice(event, fields)

    def _take_notice(self, event: str, fields: dict[str, Any]) -> None:
        seen = epoch(first_of(fields, LOGGED))
        if self.since is not None and (seen is None or seen < self.since):
            return
        notice = notice_of(event, fields, time_of(seen))
        name = (notice.event, notice.subject)
        if name in self.notices or len(self.notices) < _MOST_NOTICES:
            self.notices.setdefault(name, Notice(notice.event)).merge(notice)

    def _take_text(self, file: str, text: str, line: str, head: dict[str, Any]) -> None:
        leak = find_leak(text)
        if leak is None:
            self._take_fix(file, text)
            return
        self.ours[file] += 1
        process = process_of(file, head)
        if leak["final"]:
            self.ended.add(process)
        leak["last_seen"] = find_time(first_of(head, LOGGED) or line)
        group = self.leaks.take(process, head, leak, "")
        if group is not None:
            self._without_fix = None if leak["hint"] else (file, group)

    def _take_fix(self, file: str, text: str) -> None:
        """Take in the hint that belongs to the text before."""
        if text.startswith("  fix: ") and self._without_fix is not None:
            (known, group), self._without_fix = self._without_fix, None
            if known == file and group.sample is not None:
                rank, seen, sample = group.sample
                hint = text.removeprefix("  fix: ").strip()
                sample = json.dumps({**json.loads(sample), "hint": hint})
                group.sample = (rank, seen, sample)
