"""Functions around others, compiled with the very parameters of these.

To collect seven keyword arguments in a dict and spread them out again costs 0.4 us a
call on CPython 3.11 (``python -m benchmarks.profile_hot_path``), as much as all else
that our patch of such a method does.
"""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import LeakError, hide_own
from .gate import GATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .patching import Method

# Whether the guard has something to say. Asked here, to spare each request a call.
_NEWS: Final = "if _gate.registry.dead or _gate.registry.alert: _before()"
# No variable has the result: it may keep the frame.
_SOURCE: Final = """
def {name}({declared}):
    try:
        {first}
        if {others}:
            return _after({given}_method({passed}**{others}))
        return _after({given}_method({passed}))
    except _LeakError as error:
        _hide_own(error)
        raise
"""


def _shown(
    before: Callable[[], None], after: Callable[..., Any], wrapped: Method
) -> Method:
    """What such a function does, in the words that tracebacks show of it."""

    def passing(self: Any, *args: Any, **kwargs: Any) -> Any:
        before()
        return after(self, *args, wrapped(self, *args, **kwargs))

    return passing


# The line of its first statement; the second one, and the call within that.
_BEFORE: Final = _shown.__code__.co_firstlineno + 6
_AFTER: Final = (_BEFORE + 1, 8, 65)
_WRAPPED: Final = (_BEFORE + 1, 34, 64)


def around(
    method: Method,
    given: tuple[str, ...],
    after: Callable[..., Any],
    before: Callable[[], None] | None = None,
) -> Method:
    """A function around a method that hands its arguments on as they come.

    Args:
        method: What to call.
        given: Parameters of it, the first ones in their order, whose values `after`
            gets, and behind them the result. None where a method of other parameters
            was not given one.
        after: Returns what the function is to return.
        before: Is called first, where the guard has something to say.
    """
    source = _SOURCE.format(
        first="..." if before is None else _NEWS,
        given="".join(f"{value}, " for value in _values(method, given)),
        **spelled(method),
    )
    names: dict[str, Any] = {
        "_method": method,
        "_after": after,
        "_before": before,
        "_gate": GATE,
        "_LeakError": LeakError,
        "_hide_own": hide_own,
    }
    # By its file the frame is known as ours.
    exec(compile(_placed(source), __file__, "exec"), names)  # noqa: S102  # Our own.
    function: Method = names[_name(method)]
    function.__defaults__ = method.__defaults__
    function.__kwdefaults__ = method.__kwdefaults__
    return function


def _placed(source: str) -> ast.Module:
    """The source of a function, put where `_shown` says what it does."""
    module = ast.parse(source)
    for node in ast.walk(module):
        _put(node, (_BEFORE, 8, 16))
    for node in ast.walk(module):
        if isinstance(node, ast.Return):
            for part in ast.walk(node):
                _put(part, _AFTER)
            # The last argument of the call that it returns.
            _put(node.value.args[-1], _WRAPPED)  # type: ignore[union-attr]  # `_SOURCE`
    return module


def _put(node: ast.AST, place: tuple[int, int, int]) -> None:
    """Say that a node is found at a line, from one column to another."""
    if hasattr(node, "lineno"):
        line, column, end = place
        vars(node).update(lineno=line, end_lineno=line)
        vars(node).update(col_offset=column, end_col_offset=end)


def _name(method: Method) -> str:
    """What tracebacks call it."""
    return method.__name__ if method.__name__.isidentifier() else "passing"


def spelled(method: Method) -> dict[str, str]:
    """Name, parameters and arguments of a function, as source text.

    Read from its code: a signature may be what somebody has said of it.
    """
    code = method.__code__
    positional, named = _plain(method)
    optional = len(positional) - len(method.__defaults__ or ())
    declared = [
        name if index < optional else f"{name}=None"
        for index, name in enumerate(positional)
    ]
    if code.co_posonlyargcount:
        declared.insert(code.co_posonlyargcount, "/")
    passed = list(positional)
    rest, others = _collected(method)
    if rest or named:
        declared.append(f"*{rest}")
    if rest:
        passed.append(f"*{rest}")
    defaults = method.__kwdefaults__ or {}
    declared += [f"{name}=None" if name in defaults else name for name in named]
    passed += [f"{name}={name}" for name in named]
    if others:
        declared.append(f"**{others}")
    return {
        "name": _name(method),
        "declared": ", ".join(declared),
        "passed": "".join(f"{value}, " for value in passed),
        # A call that passes no dict is cheaper, and most have nothing in it.
        "others": others or "()",
    }


def _values(method: Method, given: tuple[str, ...]) -> list[str]:
    """Where the values of parameters are found, as source text."""
    positional, named = _plain(method)
    rest, others = _collected(method)
    values = []
    for index, name in enumerate(given):
        value = f"{others}.get({name!r})" if others else "None"
        if name in positional or name in named:
            value = name
        elif index < len(positional):
            value = positional[index]
        elif rest:
            place = index - len(positional)
            value = f"{rest}[{place}] if len({rest}) > {place} else {value}"
        values.append(value)
    return values


def _plain(method: Method) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameters that have a name: by position, and by name only."""
    code = method.__code__
    count = code.co_argcount
    names = code.co_varnames
    return names[:count], names[count : count + code.co_kwonlyargcount]


def _collected(method: Method) -> tuple[str, str]:
    """The parameters that collect the other arguments; empty where there is none."""
    code = method.__code__
    names = iter(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
    rest = next(names) if code.co_flags & inspect.CO_VARARGS else ""
    others = next(names) if code.co_flags & inspect.CO_VARKEYWORDS else ""
    return rest, others
