"""Subjects: the tests and fixtures that responses and sessions belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.scope import Scope
from .._model.words import relative

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from .._leases.verdicts import Finding
    from .._stacks.raw import RawStack

_ACCEPTED: Final = 'accepted: allow="the reason", max_open=a whole number'


class Subject(Scope):
    """A scope that a test session opens: a test's, or a wider fixture's.

    Args:
        name: As reports call it: ``test``, or ``module fixture 'feed'``.
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
        findings, self.findings = self.findings, []
        return [finding for finding in findings if not finding.raised]

    def end(self, late: Callable[[Subject, Finding], None]) -> None:
        """Have what is found from here on told elsewhere."""
        self.findings = _LateFindings(self, late)


class _LateFindings(list["Finding"]):
    """Takes what is found of a subject that has ended: threads outlive tests."""

    def __init__(
        self, subject: Subject, late: Callable[[Subject, Finding], None]
    ) -> None:
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


def subject_for(item: pytest.Item) -> tuple[Subject, str | None]:
    """The subject for a test, and what is wrong with its markers, if anything is.

    Of several markers (a test's, its class's, its module's) the closest one that
    gives an argument counts.
    """
    given: dict[str, Any] = {}
    for marker in item.iter_markers("httpguard"):
        wrong = _wrong(marker)
        if wrong is not None:
            return Subject("test", item.nodeid), wrong
        given = {**marker.kwargs, **given}
    reason, max_open = given.get("allow"), given.get("max_open")
    return Subject("test", item.nodeid, reason=reason, max_open=max_open), None


def _wrong(marker: pytest.Mark) -> str | None:
    named = [f"{name}={value!r}" for name, value in marker.kwargs.items()]
    call = f"@pytest.mark.httpguard({', '.join([*map(repr, marker.args), *named])})"
    if marker.args:
        return f"{call}: {marker.args[0]!r} has no name; {_ACCEPTED}"
    for name, value in marker.kwargs.items():
        if name == "allow":
            accepted = isinstance(value, str) and bool(value.strip())
        elif name == "max_open":
            accepted = type(value) is int and value >= 0
        else:
            return f"{call}: there is no {name!r}; {_ACCEPTED}"
        if not accepted:
            return f"{call}: {name} is {value!r}; {_ACCEPTED}"
    return None


def subject_for_fixture(
    fixture: pytest.FixtureDef[Any], node: pytest.Item | pytest.Collector, root: Path
) -> Subject:
    """The subject for a fixture of wider scope than a function's, set up for a node."""
    name = fixture.argname
    # pytest makes fixtures of set-ups in other styles.
    if name.startswith("_") and "_fixture_" in name:
        name = name[1:].partition("_fixture_")[0]
        name = name.removeprefix("unittest_").removeprefix("xunit_")
    code = getattr(fixture.func, "__code__", None)
    path, line = "", None
    if code is not None:
        path = relative(code.co_filename, str(root)) or code.co_filename
        line = code.co_firstlineno - 1
    title = f"{fixture.scope} fixture {name!r}"
    subject = Subject(title, f"{node.nodeid or path}::{name}")
    subject.location = (path, line, title)
    return subject
