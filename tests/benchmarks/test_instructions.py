"""The arithmetic of `benchmarks.instructions`."""

from __future__ import annotations

import pytest

from benchmarks._callgrind import a_request, by_kind, total
from benchmarks._calls import KINDS
from benchmarks._counted import Loops

LOOPS = Loops(warm_up=5, short=20, long=120, rounds=3)


def test_what_a_loop_costs_by_itself_falls_out() -> None:
    counted = [7_000 + 500 * length for length in (20, 120) * 3]
    assert a_request(counted, LOOPS) == 500


def test_one_round_in_which_something_happened_changes_nothing() -> None:
    counted = [500 * length for length in (20, 120) * 3]
    counted[3] += 1_000_000
    assert a_request(counted, LOOPS) == 500


def test_what_was_before_the_loops_of_a_kind_is_left_out() -> None:
    counted = [
        number
        for cost in (300, 400, 500, 600)
        for number in (10**9, *(cost * length for length in (20, 120) * 3))
    ]
    assert by_kind(counted, LOOPS, KINDS) == dict(
        zip(KINDS, (300, 400, 500, 600), strict=True)
    )


def test_totals_are_read_from_what_callgrind_writes() -> None:
    assert total("events: Ir\nfn=(1)\n3 150\n\ntotals: 1573456425\n") == 1573456425
    with pytest.raises(ValueError, match="no totals"):
        total("events: Ir\n")
