"""References are counted right by this interpreter, or not at all."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import pytest

from httpguard._leases.references import references


class One:
    """Anything."""


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="counts no references")
def test_the_references_of_others_are_counted() -> None:
    kept: list[Any] = [One()]
    reference = weakref.ref(kept[0])
    assert references([reference()]) == [1]
    kept.append(kept[0])
    assert references([reference(), One()]) == [2, 0]
    kept[0].itself = kept[0]
    assert references([reference()]) == [3]


def test_a_frame_that_has_one_counts() -> None:
    one = One()
    reference = weakref.ref(one)

    def run(_: One) -> list[int] | None:
        return references([reference()])

    # A borrowed argument may or may not: one that somebody has never has none.
    for counted in (references([reference()]), run(one)):
        assert counted is None or counted[0] >= 1
