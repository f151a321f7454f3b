"""Leaks that are known and accepted, kept in a file under version control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .file import Entry

T = TypeVar("T")


class Comparison(Generic[T]):
    """Leaks beside a baseline, or beside none.

    Args:
        new: Leaks that it does not tolerate.
        known: Leaks that it tolerates.
        fixed: Its entries that no leak needed: they can go.
    """

    __slots__ = ("fixed", "known", "new")

    def __init__(
        self,
        new: tuple[T, ...],
        known: tuple[T, ...] = (),
        fixed: tuple[Entry, ...] = (),
    ) -> None:
        self.new = new
        self.known = known
        self.fixed = fixed
