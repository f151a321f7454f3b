"""Fixtures of a wider scope than a function's: each is a subject."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from .subject import Subject, subject_for_fixture

if TYPE_CHECKING:
    from collections.abc import Generator

    from .apart import ApartReports
    from .attribution import Attribution
    from .judge import Judge


class WideFixtures:
    """Told by pytest which are set up and torn down.

    Args:
        config: Of the session.
        running: Is told whose code runs.
        judge: Says what leaked.
        apart: Reports it.
    """

    def __init__(
        self,
        config: pytest.Config,
        running: Attribution,
        judge: Judge,
        apart: ApartReports,
    ) -> None:
        self._config = config
        self._running = running
        self._judge = judge
        self._apart = apart
        # To be judged at the end of the phase.
        self._torn_down: list[Subject] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """What its set-up and tear-down open is the fixture's."""
        if fixturedef.scope == "function":
            return (yield)
        subject = subject_for_fixture(fixturedef, request.node, self._config.rootpath)
        # Finalizers run in reverse: these two around those of the fixture, after
        # those of the fixtures that use it.
        fixturedef.addfinalizer(partial(self._leave, subject))
        self._running.enter(subject)
        try:
            return (yield)
        except BaseException:
            subject.failed = True
            raise
        finally:
            self._running.leave(subject)
            fixturedef.addfinalizer(partial(self._running.enter, subject))

    def _leave(self, subject: Subject) -> None:
        self._running.leave(subject)
        self._torn_down.append(subject)

    def judge_torn_down(self) -> None:
        """Judge the fixtures torn down in a phase, now that all of them are.

        One may close what another has opened.
        """
        subjects, self._torn_down = self._torn_down, []
        for subject in subjects:
            apart = self._judge.judge_apart(subject)
            if apart is not None:
                self._apart.waiting.append(apart)
