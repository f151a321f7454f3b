"""Scopes carried by a context variable: `no_leaks` and `allow`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final


class Scope:
    """What a response opened now belongs to. A reason was given to `allow`."""

    __slots__ = ("findings", "over", "parent", "reason", "waited")

    def __init__(self, parent: Scope | None, reason: str | None) -> None:
        self.parent = parent
        self.reason = reason
        # It has ended, and some context still carries it: the tasks that a
        # `no_leaks` scope started, or the one where an `allow` scope was entered that
        # was left in another.
        self.over = False
        # Its end has waited for work that other threads do for it.
        self.waited = False
        # What was found of it so far, as the layer that finds it has it.
        self.findings: list[Any] = []

    @property
    def allowed(self) -> str | None:
        """The reason of the nearest `allow` around, or None."""
        scope: Scope | None = self
        while scope is not None:
            if scope.reason is not None:
                return scope.reason
            scope = scope.parent
        return None

    @property
    def promise(self) -> Scope | None:
        """The nearest `no_leaks` scope that is on, this one or around it, or None."""
        scope: Scope | None = self
        while scope is not None and (scope.over or scope.reason is not None):
            scope = scope.parent
        return scope


def is_within(scope: Scope | None, outer: Scope) -> bool:
    """Whether a scope is another one or lies inside it."""
    while scope is not None:
        if scope is outer:
            return True
        scope = scope.parent
    return False


CURRENT_SCOPE: Final[ContextVar[Scope | None]] = ContextVar(
    "httpguard_scope", default=None
)


def current_scope() -> Scope | None:
    """The scope that a response opened now belongs to, or None."""
    scope = CURRENT_SCOPE.get()
    while scope is not None and scope.over:
        scope = scope.parent
    return scope
