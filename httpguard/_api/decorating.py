"""`no_leaks` and `allow` as decorators."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._model.errors import HTTPGuardError, hide_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Function = Callable[..., Any]

_F = TypeVar("_F", bound="Function")


def in_scope(function: _F, again: Function) -> _F:
    """Run each call of a function in a scope of its own.

    Args:
        function: Sync or async, whatever other decorators have made of it.
        again: Gives a fresh scope.

    Raises:
        TypeError: It is no function whose body runs in a call.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast("_F", type(function)(in_scope(function.__func__, again)))
    _refuse(function)
    if inspect.iscoroutinefunction(function):
        return cast("_F", _async(function, function, again))

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with again():
                result = function(*args, **kwargs)
        except HTTPGuardError as error:
            hide_own(error)
            raise
        return _what_runs_later(result, function, again)

    return cast("_F", run)


def _refuse(function: Function) -> None:
    """What would be called without its body being run, or not be called at all."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is a generator: use `with` inside it instead")
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"{function!r} is no function: decorate functions instead")
    if type(function).__name__ == "FixtureFunctionDefinition" or (
        # Below pytest 8.4.
        "_pytestfixturefunction" in getattr(function, "__dict__", ())
    ):
        raise TypeError(f"{function!r} is a fixture: use `with` inside it instead")


def _what_runs_later(result: Any, function: Function, again: Function) -> Any:
    """What a call gives, in a scope of its own where the body has yet to run.

    Another decorator has hidden what kind of function it is.

    Raises:
        TypeError: It is the generator of a generator function.
    """
    if inspect.iscoroutine(result):
        return _async(function, lambda: result, again)()
    if isinstance(result, contextlib._GeneratorContextManager) and _is_new(result):
        return _block(result, again)
    if isinstance(result, contextlib._AsyncGeneratorContextManager) and _is_new(result):
        return _async_block(result, again)
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        inner = inspect.unwrap(function)
        if inner is not function:
            _refuse(inner)
    return result


def _async(function: Function, call: Function, again: Function) -> Function:
    """What calls an async function, or waits for what it gave, in a scope."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            async with again():
                return await call(*args, **kwargs)
        except HTTPGuardError as error:
            hide_own(error)
            raise

    return run


def _is_new(made: object) -> bool:
    """Whether nobody has entered a context manager of contextlib's yet."""
    return "func" in vars(made)


@contextlib.contextmanager
def _block(
    made: contextlib._GeneratorContextManager[Any], again: Function
) -> Iterator[Any]:
    """A context manager within a scope; a fresh one each time, if it decorates."""
    try:
        with again(), made._recreate_cm() as value:
            yield value
    except HTTPGuardError as error:
        hide_own(error)
        raise


@contextlib.asynccontextmanager
async def _async_block(
    made: contextlib._AsyncGeneratorContextManager[Any], again: Function
) -> AsyncIterator[Any]:
    """As `_block`."""
    try:
        async with again(), made._recreate_cm() as value:
            yield value
    except HTTPGuardError as error:
        hide_own(error)
        raise
