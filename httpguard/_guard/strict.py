"""What strict mode and `no_leaks` raise, and where."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from .._leases.lease import Finding
from .._leases.table import leaks_of
from .._leases.threads import is_alive, is_of
from .._model.errors import LeakError
from .._model.leak import LeakKind
from .._model.words import leaked
from .._text.events import describe_crowd
from .._text.leaks import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._leases.lease import Lease
    from .._leases.threads import Runner
    from .._model.snapshot import OpenResponse
    from .._stacks.ownership import Origins

_MOST_PENDING: Final = 10_000


class Pending:
    """Findings that no `LeakError` has carried yet. Takes no lock."""

    def __init__(self) -> None:
        self._findings: deque[Finding] = deque(maxlen=_MOST_PENDING)

    def __bool__(self) -> bool:
        return bool(self._findings)

    def add(self, finding: Finding) -> None:
        """It is to be raised: where it was opened, or by `check`."""
        self._findings.append(finding)

    def take(self, now: Runner | None) -> list[Finding]:
        """Those that this call is to raise: each once.

        Args:
            now: What runs: only what it has opened. None: all.
        """
        taken = []
        for _ in range(len(self._findings)):
            try:
                finding = self._findings.popleft()
            except IndexError:  # Another thread took the last one.
                break
            if finding.raised:
                continue
            if now is None or is_of(finding.runner, now):
                finding.raised = True
                taken.append(finding)
            else:
                self._findings.append(finding)
        return taken

    def awaited(self) -> bool:
        """Whether one that lives has opened one: its next request raises."""
        return any(
            not finding.raised and is_alive(finding.runner)
            for finding in list(self._findings)
        )


def leak_error(findings: Iterable[Finding], limit: str, origins: Origins) -> LeakError:
    """The error for some findings, which count as raised from here on.

    Args:
        limit: What was promised, for the message.
    """
    findings = list(findings)
    for finding in findings:
        finding.raised = True
    leaks = leaks_of(findings, origins)
    counted = leaked((leak.kind, leak.count) for leak in leaks)
    text = "\n".join(describe(leak) for leak in leaks)
    return LeakError(f"{counted} ({limit})\n{text}", leaks)


def crowd_error(
    crowd: Iterable[Lease],
    responses: Iterable[OpenResponse],
    limit: int,
    origins: Origins,
    now: float,
) -> LeakError:
    """The error for more open responses, as leases and as values, than a limit."""
    findings = [Finding.of_response(LeakKind.OPEN, lease, now) for lease in crowd]
    return LeakError(describe_crowd(responses, limit), leaks_of(findings, origins))
