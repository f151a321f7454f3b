"""Leaks that are known and accepted, kept in a file under version control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from .file import Entry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Comparison(Generic[T]):
    """Leaks beside a baseline, or beside none.

    Args:
        new: Leaks that it does not tolerate.
        known: Leaks that it tolerates.
        fixed: Its entries that no leak needed: they can go.
    """

    new: tuple[T, ...]
    known: tuple[T, ...] = ()
    fixed: tuple[Entry, ...] = ()
