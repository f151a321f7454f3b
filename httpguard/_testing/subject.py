"""Subjects: the tests and fixtures that responses belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._leases.detector import Finding
    from .._stacks.capture import RawStack

    Late = Callable[["Subject", Finding], None]


class Subject(Scope):
    """A scope that a test session opens: a test's, or a wider fixture's.

    Args:
        name: As reports call it: ``test``, or ``module fixture 'feed'``.
        nodeid: As pytest names it.
        reason: Why its responses are not judged; None: they are.
        max_open: Responses it may have open at once; None: any number.
    """

    __slots__ = ("crowd", "failed", "location", "max_open", "name", "nodeid")

    def __init__(
        self,
        name: str,
        nodeid: str,
        *,
        reason: str | None = None,
        max_open: int | None = None,
    ) -> None:
        """Nothing found yet."""
        super().__init__(None, reason)
        self.name = name
        self.nodeid = nodeid
        self.max_open = max_open
        # Where the responses were opened that were too many, at the worst moment.
        self.crowd: list[RawStack] = []
        # It failed by itself: what it leaves open may be for that alone.
        self.failed = False
        # File, line from 0, and title of its report, where it has one of its own.
        self.location: tuple[str, int | None, str] = (nodeid, None, name)

    @property
    def promise(self) -> Scope | None:
        """Itself, also when it is over: what is found late is reported late."""
        return self if self.reason is None else None

    def take(self) -> list[Finding]:
        """What was found so far and was not raised in the program."""
        findings, self.findings = self.findings, []
        return [finding for finding in findings if not finding.raised]

    def end(self, late: Late) -> None:
        """Have what is found from here on told elsewhere.

        Args:
            late: Where.
        """
        self.findings = _LateFindings(self, late)


class _LateFindings(list["Finding"]):
    """Takes what is found of a subject that has ended: threads outlive tests."""

    def __init__(self, subject: Subject, late: Late) -> None:
        """Keep them."""
        super().__init__()
        self._subject = subject
        self._late = late

    def append(self, finding: Finding) -> None:
        """Pass it on, unless the subject failed: its traceback kept it."""
        if not self._subject.failed:
            self._late(self._subject, finding)


def subject_of(scope: Scope | None) -> Subject | None:
    """The subject that a scope lies in, itself included."""
    while scope is not None and not isinstance(scope, Subject):
        scope = scope.parent
    return scope
