"""Scopes that promised to leave nothing open: `no_leaks`, a test."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

from .strict import leak_error
from .unfinished import unfinished

if TYPE_CHECKING:
    from .._model.errors import LeakError
    from .._model.scope import Scope
    from .parts import Parts


class Scopes:
    """Judges what a scope leaves. Nothing but `LeakError` ever rises."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def bury(self, scope: Scope) -> None:
        """Judge what was dropped, cycles of a scope included. Reports, raises not.

        Args:
            scope: What its code has dropped in cycles is collected; two looks find
                what is not, since its client keeps it. A body that may yet arrive by
                itself is let off: its loop stands while a scope is judged.
        """
        try:
            self._collect(scope)
            detector = self._parts.detector
            for _ in range(2):
                if detector.is_left(scope):
                    self._parts.sweep(detector.sweep)
                    for lease in self._parts.registry.left_open(scope):
                        if lease.arrived is not None:
                            lease.lonely = None
            self._parts.outbox.flush()
        except Exception as error:
            self._parts.outbox.step_aside("bury", error)

    def is_arriving(self, scope: Scope) -> bool:
        """Whether a body comes in that a scope left, and ends its lease by itself."""
        try:
            return any(
                lease.client.takes_in > 0
                and (lease.length or 0) <= lease.client.takes_in
                for lease in self._parts.registry.left_open(scope)
            )
        except Exception as error:
            self._parts.outbox.step_aside("is_arriving", error)
            return False

    def unfinished(self, scope: Scope) -> list[str]:
        """What other threads still do for a scope, by name."""
        try:
            return unfinished(scope) if threading.active_count() > 1 else []
        except Exception as error:
            self._parts.outbox.step_aside("unfinished", error)
            return []

    def close(self, scope: Scope, *, raising: bool) -> None:
        """Judge what a `no_leaks` scope leaves.

        Raises:
            LeakError: Leaks of the scope that were not raised before.
        """
        error = None
        try:
            self._collect(scope)
            self._parts.sweep(lambda: self._parts.detector.close_scope(scope))
            self._parts.outbox.flush()
        except Exception as failure:
            self._parts.outbox.step_aside("close_scope", failure)
        scope.over = True  # Whatever failed above.
        try:
            error = self._scope_error(scope, raising=raising)
        except Exception as failure:
            self._parts.outbox.step_aside("no_leaks", failure)
        if error is not None:
            raise error

    def _collect(self, scope: Scope) -> None:
        """Judge what was collected, and what a scope has dropped in cycles."""
        detector = self._parts.detector
        self._parts.sweep(detector.bury)
        if detector.is_left(scope):
            gc.collect()
            self._parts.sweep(lambda: detector.bury(doubtful=True))

    def _scope_error(self, scope: Scope, *, raising: bool) -> LeakError | None:
        """What a scope that has ended is to raise; or its parent gets to know."""
        findings = [finding for finding in scope.findings if not finding.raised]
        if findings and raising:
            limit = "in a scope that promised none"
            return leak_error(findings, limit, self._parts.registry.origins)
        outer = scope.parent.promise if scope.parent is not None else None
        if outer is not None:
            outer.findings += findings
        return None
