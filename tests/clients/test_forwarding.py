"""Functions that are compiled around others."""

from __future__ import annotations

import inspect
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from httpguard._clients.forwarding import around
from httpguard._clients.gate import GATE
from httpguard._stacks.ownership import is_own

if TYPE_CHECKING:
    from collections.abc import Callable

SENTINEL = object()
GIVEN = ("self", "method", "url")


def plain(self: Any, method: Any, url: Any, body: Any = SENTINEL) -> Any:
    return [self, method, url, body]


def only(self: Any, method: Any, /, url: Any = 1, *, body: Any = SENTINEL) -> Any:
    return [self, method, url, body]


def named(self: Any, *, url: Any, method: Any = "GET", **others: Any) -> Any:
    return [self, method, url, others]


def loose(self: Any, *rest: Any, **others: Any) -> Any:
    return [self, rest, others]


def renamed(me: Any, verb: Any, address: Any, *rest: Any, more: Any = 2) -> Any:
    return [me, verb, address, rest, more]


def fewer(self: Any) -> Any:
    return [self]


def nothing_named(*rest: Any) -> Any:
    return list(rest)


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "given"),
    [
        (plain, (0, "GET", "/"), {}, (0, "GET", "/")),
        (plain, (0,), {"url": "/", "method": "PUT", "body": 3}, (0, "PUT", "/")),
        (only, (0, "GET"), {}, (0, "GET", 1)),
        (only, (0, "GET"), {"url": "/", "body": 3}, (0, "GET", "/")),
        (named, (0,), {"url": "/", "more": 4}, (0, "GET", "/")),
        (loose, (0,), {"url": "/", "method": "GET"}, (0, "GET", "/")),
        (loose, (0, "GET"), {"url": "/"}, (0, "GET", "/")),
        (loose, (0, "GET", "/", 5), {"more": 4}, (0, "GET", "/")),
        (loose, (0,), {}, (0, None, None)),
        (renamed, (0, "GET", "/"), {}, (0, "GET", "/")),
        (renamed, (0, "GET", "/", 7, 8), {"more": 3}, (0, "GET", "/")),
        (fewer, (0,), {}, (0, None, None)),
        (nothing_named, (0, "GET"), {}, (0, "GET", None)),
    ],
)
def test_arguments_arrive_as_they_were(
    method: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: tuple[Any, ...]
) -> None:
    seen: list[Any] = []

    def after(*values: Any) -> Any:
        seen.append(values)
        return values[-1]

    function: Callable[..., Any] = around(method, GIVEN, after)
    assert function(*args, **kwargs) == method(*args, **kwargs)
    assert seen == [(*given, method(*args, **kwargs))]


@pytest.mark.parametrize("method", [plain, only, named, loose, renamed, fewer])
def test_it_refuses_what_the_method_refuses(method: Any) -> None:
    function: Callable[..., Any] = around(method, GIVEN, lambda *values: values[-1])
    assert function.__code__.co_argcount == method.__code__.co_argcount
    for mine, its in zip(
        inspect.signature(function).parameters.values(),
        inspect.signature(method).parameters.values(),
        strict=True,
    ):
        assert mine == its.replace(annotation=inspect.Parameter.empty)
    with pytest.raises(TypeError) as mine_raised:
        function()
    with pytest.raises(TypeError) as its_raised:
        method()
    assert str(mine_raised.value) == str(its_raised.value)


def test_what_comes_first_comes_first_where_there_is_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []

    def method(self: Any) -> None:
        order.append(f"method of {self}")

    def after(self: Any, _result: None) -> None:
        order.append(f"after {self}")

    function = around(method, ("self",), after, lambda: order.append("before"))
    function("x")
    assert order == ["method of x", "after x"]
    order.clear()
    monkeypatch.setattr(GATE.registry, "alert", True)
    function("x")
    assert order == ["before", "method of x", "after x"]


def test_a_lambda_is_a_method_too() -> None:
    method: Any = lambda self, url: (self, url)  # noqa: E731
    assert around(method, ("self",), lambda _self, got: got)(1, url=2) == (1, 2)


def test_its_frame_is_ours_and_has_no_result() -> None:
    frames: list[Any] = []

    def after(_self: Any, result: Any) -> Any:
        frames.append(sys._getframe(1))
        return result

    around(fewer, ("self",), after)(SENTINEL)
    (frame,) = frames
    assert is_own(frame.f_code.co_filename)
    assert frame.f_code.co_name == "fewer"
    assert frame.f_locals == {"self": SENTINEL}


def test_an_error_goes_through() -> None:
    def method(_self: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        around(method, ("self",), lambda *_: pytest.fail("called"))(1)
    _, ours, its = traceback.extract_tb(caught.value.__traceback__)
    assert (ours.name, its.name) == ("method", "method")
    assert ours.line == "return after(self, *args, wrapped(self, *args, **kwargs))"


def test_nothing_but_the_result_may_be_asked_for() -> None:
    assert around(plain, (), lambda got: got)(1, 2, url=3) == [1, 2, 3, SENTINEL]
