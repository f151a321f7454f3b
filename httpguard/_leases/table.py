"""What was judged: the counts, and the findings by kind and site, bounded in size."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Frame, Leak, LeakKind
from .._model.redaction import printable, printable_within, redact_url
from .._model.tally import Rhythm, Tally
from .._stacks.ownership import module_matches, module_of
from .._stacks.sites import (
    filenames,
    find_library,
    find_site,
    frame_at,
    place_of,
    runs_others,
    symbolize,
)
from .client import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._model.settings import Settings
    from .._stacks.ownership import Origins
    from .lease import Finding, Lease
    from .registry import Registry
    from .sessions import SessionRef

# Programs that make code as they run can have sites without end.
MOST_GROUPS: Final = 1000
# So many kinds and sites are counted for monitoring, each for good: a count there
# never falls, and a series that comes and goes is expensive.
MOST_SERIES: Final = 100


class Verdicts:
    """The counts of one guard."""

    def __init__(self, registry: Registry, settings: Callable[[], Settings]) -> None:
        self._registry = registry
        self._settings = settings
        self.counts = dict.fromkeys(LeakKind, 0)
        self.total = 0
        self.excused = 0
        # How often more than `max_open` were open; any thread counts.
        self.overruns = Tally()
        # Held responses that were closed for the program.
        self.shut = 0

    def count(self, kind: LeakKind, leaked: Lease | SessionRef) -> bool:
        """Count a leak, once; False: `allow` or `ignore` excuses it."""
        leaked.judged = True
        if self.excuses(leaked):
            self.excused += 1
            return False
        leaked.kind = kind
        self.counts[kind] += 1
        self.total += 1
        origins = self._registry.origins
        place = place_of(leaked.stack or (), origins)
        leaked.site = frame_at(place, origins)
        self._registry.proven.distrust(place)
        return True

    def excuses(self, leaked: Lease | SessionRef) -> bool:
        """Whether `allow` or `ignore` says that it is not to be judged."""
        if leaked.scope is not None and leaked.scope.allowed is not None:
            return True
        return any(_matches(leaked, pattern) for pattern in self._settings().ignore)

    def crowd(self) -> list[Lease]:
        """The leases that count against ``max_open``."""
        return [
            lease
            for lease in self._registry.open_leases()
            if not lease.reading and not self.excuses(lease)
        ]


def _matches(leaked: Lease | SessionRef, pattern: str) -> bool:
    """Whether a URL pattern (it has a slash) or a module pattern fits."""
    if "/" in pattern:
        url = leaked.absolute_url
        return fnmatchcase(url, pattern) or fnmatchcase(url.partition("?")[0], pattern)
    return any(
        module_matches(module_of(filename), pattern)
        for filename in filenames(leaked.stack or ())
    )


class Series:
    """A kind and a site that are counted for monitoring, whatever the table keeps."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Group:
    """The leaks of one kind at one site. Times of day are UTC."""

    __slots__ = (
        "count",
        "culprit",
        "first_seen",
        "held_by",
        "last_seen",
        "latest",
        "lost_by",
        "made",
        "resolved",
        "resolved_rhythm",
        "rhythm",
        "said",
        "series",
        "site",
    )

    def __init__(self, finding: Finding, when: datetime, series: Series | None) -> None:
        self.site = finding.site
        self.series = series
        self.latest = finding
        self.count = 1
        self.resolved = 0
        self.held_by = finding.held_by
        # Of the latest that has one.
        self.culprit, self.lost_by = finding.lost_in, finding.lost_by
        self.first_seen = self.last_seen = when
        self.rhythm = Rhythm()
        self.resolved_rhythm = Rhythm()
        # The counts that some event has told, as `count` and `resolved` were then.
        self.said = (0, 0)
        # The value that was made last, of which counts, and with which origins.
        self.made: tuple[Leak, tuple[int, int], Origins] | None = None

    def leak(self, origins: Origins) -> Leak:
        """The group as the frozen value that users see, made once for each count."""
        counts, made = (self.count, self.resolved), self.made
        if made is None or made[1] != counts or made[2] is not origins:
            self.made = made = self._leak(origins), counts, origins
        return made[0]

    def _leak(self, origins: Origins) -> Leak:
        latest = self.latest
        method, thread = printable(latest.method), printable_within(latest.thread)
        url = redact_url(latest.url) if method else ""
        stack = symbolize(latest.stack, origins)
        culprit = frame_at(self.culprit, origins) if self.culprit else None
        if culprit == self.site:
            culprit = None
        package, function, between = find_library(latest.stack, self.site, origins)
        aside = ""
        if not any(frame.application for frame in stack):
            aside = _of_runner(stack, self.site)
        facts = Facts(
            kind=latest.kind,
            method=method,
            bytes_read=latest.bytes_read,
            length=latest.length,
            block=latest.block,
            package=package,
            function=function,
            culprit=culprit,
            lost_by=self.lost_by,
            held_by=self.held_by,
            status=latest.status,
            between=between,
        )
        return Leak(
            kind=latest.kind,
            site=self.site,
            stack=stack,
            count=self.count,
            resolved=self.resolved,
            method=method,
            url=url,
            status=latest.status,
            client=latest.client.name,
            pool=latest.pool,
            thread=thread,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            age=latest.age,
            idle=latest.idle,
            bytes_read=latest.bytes_read,
            length=latest.length,
            hint=latest.client.hint(facts) + aside,
            alive=latest.alive,
            sockets=latest.sockets,
            held_by=self.held_by,
            culprit=culprit,
        )


def _of_runner(stack: tuple[Frame, ...], site: Frame) -> str:
    """A word for a stack without the application: another thread or loop has run it."""
    if any(
        frame.filename.replace("\\", "/").endswith("concurrent/futures/thread.py")
        for frame in stack
    ):
        return (
            "; the line runs what a thread pool was given: with `follow_executors=True`"
            " the report names the line that submitted it"
        )
    if runs_others(site.filename):
        return (
            "; the line runs what it was given: give it a function of your own, and the"
            " report names its line"
        )
    return ""


class LeakTable:
    """Findings by kind and site."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.total = 0
        self.resolved = 0
        self.series: dict[tuple[LeakKind, Frame], Series] = {}
        self.by_line: dict[tuple[LeakKind, Frame], Group] = {}

    def add(self, finding: Finding) -> Group:
        """Count a finding at its site; past 1000 groups the stalest one goes."""
        when = datetime.now(timezone.utc)
        self.total += 1
        key = (finding.kind, finding.site)
        group = self.by_line.get(key)
        if group is None:
            if len(self.by_line) >= MOST_GROUPS:
                stalest = min(self.by_line, key=lambda k: self.by_line[k].last_seen)
                del self.by_line[stalest]
            series = self.series.get(key)
            if series is None and len(self.series) < MOST_SERIES:
                series = self.series[key] = Series()
            group = self.by_line[key] = Group(finding, when, series)
        else:
            group.count += 1
            group.last_seen = when
            group.latest = finding
            group.held_by = group.held_by or finding.held_by
            if finding.lost_in:
                group.culprit, group.lost_by = finding.lost_in, finding.lost_by
        if group.series is not None:
            group.series.count += 1
        return group

    def resolve(self, kind: LeakKind | None, site: Frame) -> Group | None:
        """Count a leak that ended well after all; its group, if still here."""
        self.resolved += 1
        group = None if kind is None else self.by_line.get((kind, site))
        if group is not None:
            group.resolved += 1
        return group

    def counts(self) -> list[dict[str, Any]]:
        """The totals by kind and site, JSON-ready."""
        return [
            {
                "kind": group.latest.kind.value,
                "site": asdict(group.site),
                "count": group.count,
                "resolved": group.resolved,
            }
            for group in self.groups()
        ]

    def groups(self) -> list[Group]:
        """All groups, the most frequent first."""
        return sorted(self.by_line.values(), key=lambda group: -group.count)

    def leaks(self, most: int | None = None) -> tuple[Leak, ...]:
        """The groups as the frozen values that users see.

        Args:
            most: No more than these, half of them the latest; None: all.
        """
        groups = self.groups()
        if most is not None and len(groups) > most:
            latest = sorted(groups, key=lambda group: group.last_seen)[-(most // 2) :]
            known = set(map(id, latest))
            others = [group for group in groups if id(group) not in known]
            kept = [*latest, *others[: most - len(latest)]]
            groups = sorted(kept, key=lambda group: -group.count)
        return tuple(group.leak(self.origins) for group in groups)


def leaks_of(findings: Iterable[Finding], origins: Origins) -> tuple[Leak, ...]:
    """Just these findings, grouped: what a `LeakError` carries."""
    table = LeakTable(origins)
    for finding in findings:
        finding.site = find_site(finding.stack, origins)
        table.add(finding)
    return table.leaks()
