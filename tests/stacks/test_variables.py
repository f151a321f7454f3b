"""What is read of running frames: the right values, and no trace of the look."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks.running import frames_of_threads
from httpguard._stacks.variables import (
    UNBOUND,
    UNREADABLE,
    first_argument,
    variable,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Value:
    """Can be referred to weakly."""


def here(look: Callable[[FrameType], Any]) -> Any:
    return look(sys._getframe(1))


def test_parameters_locals_and_variables_of_functions_around() -> None:
    outer = 1

    def function(given: int, *rest: int, key: int, **more: int) -> dict[str, Any]:
        local = outer + given

        def inner() -> int:
            return local + key

        found = dict(here(variables))
        assert inner() == local + key
        return found

    found = function(2, 3, key=4, more=5)
    inner = found.pop("inner")
    assert inner() == 7
    expected = {"given": 2, "rest": (3,), "key": 4, "more": {"more": 5}, "local": 3}
    assert found == {**expected, "outer": 1}


def test_what_has_no_value_is_left_out() -> None:
    def function(gone: int) -> None:
        later: int
        if not gone:
            later = gone
        del gone
        assert here(variables) == []
        assert here(first_argument) is UNBOUND
        assert here(lambda frame: variable(frame, "later")) is UNBOUND
        assert here(lambda frame: variable(frame, "other")) is UNBOUND
        later = 1
        assert here(lambda frame: variable(frame, "later")) == later

    function(1)


def test_an_argument_that_an_inner_function_uses() -> None:
    def method(self: object) -> object:
        def inner() -> object:
            return self

        return inner() is self and here(first_argument)

    assert method(7) == 7


def test_functions_without_parameters_modules_and_classes() -> None:
    def nothing() -> object:
        local = 1
        assert local
        return here(first_argument)

    class Body:
        look = here(first_argument), here(variables)

    assert nothing() is UNBOUND
    assert Body.look == (UNBOUND, [])
    space = {"here": here, "variables": variables}
    exec("found = here(variables)", space)
    assert space["found"] == []  # type: ignore[comparison-overlap]


def test_generators_and_tracebacks() -> None:
    def lines(first: int) -> Iterator[int]:
        kept = [first]
        yield first
        del kept
        yield first

    generator = lines(1)
    assert variables(generator.gi_frame) == [("first", 1)]  # type: ignore[attr-defined]
    next(generator)
    found = variables(generator.gi_frame)  # type: ignore[attr-defined]
    assert found == [("first", 1), ("kept", [1])]

    def fail(first: int) -> None:
        kept = [first]
        raise LookupError(kept)

    with pytest.raises(LookupError) as caught:
        fail(1)
    frame = caught.tb.tb_next.tb_frame  # type: ignore[union-attr]
    assert variables(frame) == [("first", 1), ("kept", [1])]
    frame.clear()
    assert variables(frame) == []


def test_values_die_when_the_function_lets_them_go() -> None:
    def function() -> None:
        value = Value()
        reference = weakref.ref(value)
        assert [name for name, _ in here(variables)] == ["value", "reference"]
        del value
        assert reference() is None

    gc.collect()
    gc.disable()
    try:
        function()
    finally:
        gc.enable()


def test_names_made_by_exec_live_on() -> None:
    def function() -> None:
        space = locals()
        exec("made = 1", globals(), space)
        here(variables)
        assert space["made"] == 1

    function()


def test_a_tracer_sees_and_changes_what_it_would() -> None:
    seen = []

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        if frame.f_code is function.__code__:
            variables(frame)
            if event == "line":
                seen.append(sorted(frame.f_locals))
            return trace
        return None

    def function() -> int:
        number = 1
        number += 1
        return number

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert function() == 2
    finally:
        sys.settrace(before)
    assert seen == [[], ["number"], ["number"]]


def test_while_other_threads_run() -> None:
    over = threading.Event()

    def descend(depth: int, kept: list[Any]) -> list[Any]:
        more = [kept] * 3
        return descend(depth - 1, more) if depth else kept

    def work() -> None:
        while not over.is_set():
            descend(30, [Value()])

    workers = [threading.Thread(target=work) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for worker in workers:
            worker.start()
        found = 0
        while found < 20_000:
            for frame in frames_of_threads().values():
                top: FrameType | None = frame
                while top is not None:
                    found += len(variables(top))
                    top = top.f_back
    finally:
        sys.setswitchinterval(interval)
        over.set()
        for worker in workers:
            worker.join()


def test_this_interpreter_lets_us_look() -> None:
    def function(first: int) -> object:
        return here(first_argument) if first else None

    assert function(1) is not UNREADABLE
