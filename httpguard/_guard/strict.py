"""What strict mode and `no_leaks` raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._leases.detector import Finding
from .._leases.table import leaks_of
from .._model.errors import LeakError
from .._model.leak import LeakKind
from .._model.words import leaked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._leases.lease import Lease
    from .._model.snapshot import OpenResponse
    from .._stacks.ownership import Origins


def leak_error(findings: Iterable[Finding], limit: str, origins: Origins) -> LeakError:
    """The error for some findings, which count as raised from here on.

    Args:
        findings: At least one.
        limit: What was promised, for the message.
        origins: Whose code a file is.
    """
    from .._text.leaks import describe

    findings = list(findings)
    for finding in findings:
        finding.raised = True
    leaks = leaks_of(findings, origins)
    text = "\n".join(describe(leak) for leak in leaks)
    return LeakError(
        f"{leaked((leak.kind, leak.count) for leak in leaks)} ({limit})\n{text}", leaks
    )


def crowd_error(
    crowd: Iterable[Lease],
    responses: Iterable[OpenResponse],
    limit: int,
    origins: Origins,
    now: float,
) -> LeakError:
    """The error for more open responses than ``max_open``.

    Args:
        crowd: Their leases.
        responses: The same as values.
        limit: ``max_open``.
        origins: Whose code a file is.
        now: Seconds of the guard's clock.
    """
    from .._text.events import describe_crowd

    findings = [Finding(LeakKind.OPEN, lease, now) for lease in crowd]
    return LeakError(describe_crowd(responses, limit), leaks_of(findings, origins))
