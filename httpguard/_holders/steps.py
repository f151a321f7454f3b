"""How a person calls the step from an object to what it refers to.

No line of the program runs here: names come from the tables that CPython keeps,
never from ``getattr``, ``repr`` or ``==`` of the program's own objects.
"""

from __future__ import annotations

import functools
import types
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from .._model.redaction import printable, printable_within, redact_url
from .._stacks.running import frame_of
from .._stacks.variables import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LONGEST_KEY: Final = 60
_MOST_ITEMS: Final = 100_000
_LIBRARIES: Final = (
    *("requests", "urllib3", "http", "urllib", "io", "_io"),
    *("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp"),
)
_CONTAINERS: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset)
# What a library keeps something in for itself. By type(), as everywhere here.
_PARTS: Final = (*_CONTAINERS, types.MethodType)
_PLAIN: Final = frozenset(map(id, (int, float, bool, type(None))))
COLLECTIONS: Final = frozenset(map(id, (list, dict, set, tuple, frozenset, deque)))
"""What a program keeps many objects in, by the id of the class."""
_SUSPENDED: Final = (
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
)


def describe(root: str, chain: list[Any]) -> str:
    """A chain as one line, with the step in brackets that a person would cut.

    That is the last one that is none of the HTTP libraries' own, nor in what one of
    them keeps for itself. The chain is from what the root refers to, to the response.
    """
    steps = [root]
    cut, private = 0, False
    for step, owner in _steps(chain):
        if _is_library(owner):
            private = "._" in step
        elif not (private and issubclass(type(owner), _PARTS)):
            cut, private = len(steps), False
        steps.append(step)
    steps[cut] = f"[cut: {steps[cut]}]"
    return " -> ".join(steps)


def type_name(kind: type) -> str:
    """A class's own name, whatever its metaclass says."""
    return printable(str(type.__dict__["__name__"].__get__(kind)))


def _steps(chain: list[Any]) -> Iterator[tuple[str, object]]:
    """Each step's text and who owns it; what the program does not see is left out."""
    index = 0
    while index < len(chain) - 1:
        owner = chain[index]
        taken, text = _step(owner, chain[index + 1 :])
        if text:
            yield text, owner
        index += taken


def _step(owner: object, rest: list[Any]) -> tuple[int, str]:
    """How many objects one step passes, and its text; empty: nothing to see."""
    kind = type(owner)
    step = _STEPS.get(id(kind))
    if step is not None:
        return step(owner, rest)
    if isinstance_of_type(owner):
        return _from_class(owner, rest)
    name = type_name(kind)
    item = _item(owner, rest[0])
    if item is not None:
        return 1, f"{name}{item}"
    if len(rest) > 1 and rest[0] is _namespace(owner):
        return 2, f"{name}.{_key_of(rest[0], rest[1])}"
    return 1, f"{name}{_attribute(owner, rest[0])}"


def isinstance_of_type(item: object) -> bool:
    return issubclass(type(item), type)


def _from_class(owner: Any, rest: list[Any]) -> tuple[int, str]:
    """By an attribute of the class itself."""
    name = type_name(owner)
    if len(rest) > 1 and type(rest[0]) is dict:
        return 2, f"{name}.{_key_of(rest[0], rest[1])} (class attribute)"
    return 1, f"{name} (class)"


def _from_function(owner: Any, rest: list[Any]) -> tuple[int, str]:
    """By a closure, which has a tuple of cells in between, or by a default."""
    name = printable(owner.__code__.co_name)
    if rest[0] is owner.__closure__:
        cells = [id(cell) for cell in rest[0]]
        variable = owner.__code__.co_freevars[cells.index(id(rest[1]))]
        return 3, f"{printable(variable)} (closure of {name}())"
    if rest[0] is owner.__defaults__ or rest[0] is owner.__kwdefaults__:
        return 2, f"default of {name}()"
    return 1, f"{name}()"


def _from_suspended(owner: Any, rest: list[Any]) -> tuple[int, str]:
    """By a local of a generator or coroutine that waits."""
    kind = type(owner)
    frame = frame_of(owner)
    # CPython 3.10 has the frame in between.
    taken = 2 if rest[0] is frame and len(rest) > 1 else 1
    return taken, _local(frame, rest[taken - 1], type_name(kind))


def _from_cache(owner: Any, _rest: list[Any]) -> tuple[int, str]:
    """By `functools.lru_cache`."""
    function = (_namespace(owner) or {}).get("__wrapped__")
    code = function.__code__ if type(function) is types.FunctionType else None
    return 1, f"lru_cache of {printable(code.co_name) if code else '...'}()"


def _local(frame: Any, child: object, what: str) -> str:
    """The variable of a frame that does not run."""
    if frame is None:
        return what
    function = f"{what} {printable(frame.f_code.co_name)}()"
    for name, value in variables(frame):
        if value is child:
            return f"{printable(name)} (local of {function})"
    return function


_STEPS_OF_CLASSES: Final[dict[type, Callable[[Any, list[Any]], tuple[int, str]]]] = {
    types.FunctionType: _from_function,
    # Of a call that has ended, which a traceback keeps; the frame says it all.
    types.FrameType: lambda owner, rest: (1, _local(owner, rest[0], "traceback's")),
    types.TracebackType: lambda *_: (1, ""),
    # Its function is not on the way.
    types.CellType: lambda *_: (1, "closure variable"),
    types.MethodType: lambda _, rest: (
        1,
        f"bound method of {type_name(type(rest[0]))}",
    ),
    functools._lru_cache_wrapper: _from_cache,
    **dict.fromkeys(_SUSPENDED, _from_suspended),
}
# By the id of the class: to look one up may run code of a metaclass.
_STEPS: Final = {id(kind): step for kind, step in _STEPS_OF_CLASSES.items()}


def _item(owner: Any, child: object) -> str | None:
    """The place in one of Python's own containers; None: it is none of them."""
    kind = type(owner)
    base = next((base for base in _CONTAINERS if issubclass(kind, base)), None)
    pairs: Iterable[tuple[object, object]]
    if kind is deque:
        pairs = enumerate(deque.copy(owner))
    elif base is None:
        return None
    elif base is dict:
        pairs = dict.items(owner)
    elif base in (list, tuple):
        pairs = enumerate(base.__iter__(owner))
    else:
        return " item"
    for key, value in islice(pairs, _MOST_ITEMS):
        if value is child:
            return f"[{key_text(key)}]"
    return _attribute(owner, child) or "[...]"


def _attribute(owner: object, child: object) -> str:
    """``.name`` of the attribute that is the child; empty: not found."""
    space = _namespace(owner)
    if space is not None:
        name = _key_of(space, child)
        if name != "...":
            return f".{name}"
    for kind in type.__dict__["__mro__"].__get__(type(owner)):
        for name, descriptor in list(_class_space(kind).items()):
            if type(descriptor) is types.MemberDescriptorType or (
                # Of C classes: exceptions, futures, tasks.
                type(descriptor) is types.GetSetDescriptorType
                and name in _SAFE_ATTRIBUTES
            ):
                try:
                    value = descriptor.__get__(owner)
                except Exception:  # noqa: S112  # An empty slot.
                    continue
                if value is child:
                    return f".{printable(str(name))}"
    return ""


_SAFE_ATTRIBUTES: Final = frozenset(
    {"__cause__", "__context__", "__traceback__", "_coro", "_exception", "_result"}
)


def _namespace(owner: object) -> Any:
    """The ``__dict__`` of an instance, None where it has none of the usual kind."""
    for kind in type.__dict__["__mro__"].__get__(type(owner)):
        descriptor = _class_space(kind).get("__dict__")
        if descriptor is not None:
            if type(descriptor) is not types.GetSetDescriptorType:
                return None  # A property of the program.
            return descriptor.__get__(owner)
    return None


def _class_space(kind: type) -> Any:
    """The namespace of a class, whatever its metaclass says."""
    return type.__dict__["__dict__"].__get__(kind)


def _key_of(space: Any, child: object) -> str:
    """The name under which a namespace has the child."""
    for name, value in list(space.items()):
        if value is child:
            return printable_within(str(name)) if type(name) is str else "..."
    return "..."


def key_text(key: object) -> str:
    """A key, as in ``dict['name']``: without secrets, and short.

    Of others than Python's own only the class is told.
    """
    if type(key) is bytes:
        return f"b{key_text(key.decode('latin-1'))}"
    if type(key) is str:
        # It may be a URL, a path, a query, or a token by itself.
        query = "=" in key and "?" not in key
        text = redact_url(f"?{key}")[1:] if query else redact_url(key)
        if len(text) > _LONGEST_KEY:
            text = f"{text[:_LONGEST_KEY]}..."
        return f"'{text}'"
    if id(type(key)) in _PLAIN:
        return printable(repr(key))[:_LONGEST_KEY]
    return f"<{type_name(type(key))}>"


def _is_library(owner: object) -> bool:
    """Whether an object is of the HTTP libraries' own classes."""
    module = _class_space(type(owner)).get("__module__")
    return type(module) is str and module.partition(".")[0] in _LIBRARIES
