"""`no_leaks` and `allow` as decorators."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import LeakError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.conftest import GuardControl
    from tests.server import Server

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture
def url(server: Server, guard: GuardControl) -> str:
    guard.install()
    return server.url("/bytes/90000")


def ask(url: str, *, close: bool) -> int:
    response = requests.get(url, stream=True)
    if close:
        response.close()
    return 5


def of_ask(error: LeakError, count: int = 1) -> bool:
    """Whether it is about so many that `ask` has dropped."""
    (leak,) = error.leaks
    line = ask.__code__.co_firstlineno + 1
    return (leak.kind, leak.count, leak.site.function, leak.site.lineno) == (
        "dropped",
        count,
        "ask",
        line,
    )


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides what kind of function it is."""

    @functools.wraps(function)
    def run(*args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    return run


def test_functions(url: str) -> None:
    @httpguard.no_leaks()
    def twice(close: bool) -> int:  # noqa: FBT001
        return ask(url, close=close)

    assert twice(close=True) == 5
    with pytest.raises(LeakError) as caught:
        twice(close=False)
    assert of_ask(caught.value)
    assert twice(close=True) == 5


def test_recursion_keeps_the_name(url: str) -> None:
    @httpguard.no_leaks()
    def down(depth: int) -> int:
        ask(url, close=True)
        return down(depth - 1) if depth else 0

    assert down(3) == 0
    assert down.__name__ == "down"


def test_methods_of_any_kind(url: str) -> None:
    class Shop:
        @httpguard.no_leaks()
        def own(self, close: bool) -> object:  # noqa: FBT001
            return ask(url, close=close), self

        @httpguard.no_leaks()
        @classmethod
        def of_class(cls, close: bool) -> object:  # noqa: FBT001
            return ask(url, close=close), cls

        @httpguard.no_leaks()
        @staticmethod
        def of_none(close: bool) -> object:  # noqa: FBT001
            return ask(url, close=close), None

    shop = Shop()
    for method, gives in (
        (shop.own, shop),
        (shop.of_class, Shop),
        (Shop.of_class, Shop),
        (shop.of_none, None),
    ):
        assert method(close=True) == (5, gives)
        with pytest.raises(LeakError) as caught:
            method(close=False)
        assert of_ask(caught.value)


def test_what_another_decorator_makes_of_an_async_function(
    guard: GuardControl, url: str
) -> None:
    @timed
    async def leaks() -> int:
        await asyncio.sleep(0)
        return ask(url, close=False)

    with pytest.raises(LeakError) as caught:
        asyncio.run(httpguard.no_leaks()(leaks)())
    assert of_ask(caught.value)
    counted = guard.check().counters["leaks"]
    assert asyncio.run(httpguard.allow("tried")(leaks)()) == 5
    assert guard.check().counters["leaks"] == counted

    @httpguard.no_leaks()
    @timed
    async def reads() -> int:
        return await asyncio.sleep(0, 200)

    assert asyncio.run(reads()) == 200


@contextlib.contextmanager
def block(url: str, *, close: bool = True) -> Iterator[str]:
    """It asks itself, and so does who uses it."""
    ask(url, close=close)
    try:
        yield url
    finally:
        ask(url, close=close)


@contextlib.asynccontextmanager
async def async_block(url: str, *, close: bool = True) -> AsyncIterator[str]:
    """As `block`."""
    await asyncio.sleep(0)
    with block(url, close=close) as given:
        yield given


async def use(made: Any, *, close: bool = True) -> None:
    """A block, sync or async."""
    if hasattr(made, "__aenter__"):
        async with made as url:
            await asyncio.sleep(0)
            ask(url, close=close)
    else:
        with made as url:
            ask(url, close=close)


@pytest.mark.parametrize("hide", [timed, lambda function: function])
@pytest.mark.parametrize("function", [block, async_block])
def test_a_block_is_judged_with_what_is_around_it(
    url: str, guard: GuardControl, function: Callable[..., Any], hide: Any
) -> None:
    plain = hide(function)
    promised = httpguard.no_leaks()(plain)
    asyncio.run(use(promised(url)))
    with pytest.raises(LeakError) as caught:
        asyncio.run(use(promised(url), close=False))
    assert of_ask(caught.value)
    with pytest.raises(LeakError) as caught:
        asyncio.run(use(promised(url, close=False), close=False))
    assert of_ask(caught.value, 3)

    counted = guard.check().counters["leaks"]
    allowed = httpguard.allow("tried")(plain)
    asyncio.run(use(allowed(url, close=False), close=False))
    assert guard.check().counters["leaks"] == counted


def test_a_block_that_decorates_is_judged_at_each_call(url: str) -> None:
    promised = httpguard.no_leaks()(block)

    @promised(url)
    def work(close: bool) -> int:  # noqa: FBT001
        return ask(url, close=close)

    for _ in range(2):
        assert work(close=True) == 5
        with pytest.raises(LeakError) as caught:
            work(close=False)
        assert of_ask(caught.value)


def test_errors_go_through_a_block_as_through_any(url: str) -> None:
    @httpguard.no_leaks()
    @contextlib.contextmanager
    def forgives() -> Iterator[None]:
        with contextlib.suppress(KeyError):
            yield

    with forgives():
        raise KeyError
    for error in (ValueError, StopIteration, GeneratorExit):
        with pytest.raises(error), forgives():
            raise error
    # What forgives it ends as if there had been none.
    with pytest.raises(LeakError), forgives():
        ask(url, close=False)
        raise KeyError
    with pytest.raises(ValueError, match="mine"), forgives():
        ask(url, close=False)
        raise ValueError("mine")


def test_a_block_that_was_entered_before_it_is_handed_out() -> None:
    @httpguard.no_leaks()
    def begin() -> Any:
        made = contextlib.contextmanager(iter)([5])
        assert made.__enter__() == 5
        return made

    begin().__exit__(None, None, None)


def numbers() -> Iterator[int]:
    yield 1


async def async_numbers() -> AsyncIterator[int]:
    yield 1


def opens() -> Iterator[int]:
    """What pytest takes for a fixture."""
    yield 1


@pytest.mark.parametrize("scope", [httpguard.no_leaks(), httpguard.allow("tried")])
def test_what_has_no_body_that_runs_in_a_call_is_refused(scope: Any) -> None:
    for generator in (numbers, async_numbers):
        with pytest.raises(TypeError, match="is a generator: use `with` inside"):
            scope(generator)
        with pytest.raises(TypeError, match="is a generator: use `with` inside"):
            scope(timed(generator))()
    with pytest.raises(TypeError, match="is a fixture: use `with` inside"):
        scope(pytest.fixture(opens))
    for other in (int, property(len), None):
        with pytest.raises(TypeError, match="is no function"):
            scope(other)


def test_what_another_decorator_makes_of_a_generator() -> None:
    """A list is no generator, and a function may hand out a generator of others."""

    def listed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run() -> list[int]:
            return list(function())

        return run

    assert httpguard.no_leaks()(listed(numbers))() == [1]
    assert next(httpguard.no_leaks()(lambda _: numbers())(1)) == 1


def test_without_parentheses_it_says_how() -> None:
    with pytest.raises(TypeError, match=r"decorate with @httpguard\.no_leaks\(\)"):
        httpguard.no_leaks(numbers)  # type: ignore[arg-type]  # That is the mistake.
    with pytest.raises(TypeError, match="takes a reason first"):
        httpguard.allow(numbers)  # type: ignore[arg-type]
