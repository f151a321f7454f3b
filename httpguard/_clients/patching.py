"""How an attribute is replaced, and given back as the very object it was.

And by what a client says which: its `Package`.
"""

from __future__ import annotations

import functools
import sys
from contextlib import suppress
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from .gate import Gate

    Adopters = dict[type, Callable[[Any], object]]

Method = Any

_ABSENT: Final = object()
_MARK: Final = "_httpguard_patch"


class Modules(dict[str, Any]):
    """Modules as they were patched: a test may take them out of `sys.modules`."""

    def note(self, name: str) -> None:
        self[name] = import_module(name)


MODULES: Final = Modules()


class LeftAloneError(Exception):
    """A client is not the one we know, and is not patched."""


class Patcher:
    """Puts wrappers on, and remembers how to take them off."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._applied: list[tuple[type | ModuleType, str, Any, Any]] = []
        # What to look for in subclasses. These are not noted one by one: a program
        # may make classes without end, and drops them.
        self._overridden: dict[type, set[str]] = {}

    def wrap(
        self,
        owner: type | ModuleType,
        name: str,
        factory: Callable[[Method], Method],
    ) -> None:
        """Have wrapt replace a function by one around it, which a factory makes.

        A plain function, since these run several times a request: a call with eight
        arguments through `wrapt.FunctionWrapper` costs 0.8 us, through this 0.5, and
        less than 0.1 where the function names them (``benchmarks/``). Name, signature
        and documentation stay what they were.
        """
        original = owner.__dict__[name]
        if not is_wrapped(original):
            _replace(owner, name, factory)
            self._applied.append((owner, name, original, owner.__dict__[name]))

    def unwrap(self, owner: type | ModuleType, name: str) -> None:
        """Take one off for which there is no more use, unless others are around it."""
        for patch in self._applied:
            if patch[:2] == (owner, name) and owner.__dict__.get(name) is patch[3]:
                setattr(owner, name, patch[2])
                self._applied.remove(patch)
                return

    def wrap_call(
        self, owner: type | ModuleType, name: str, call: Callable[..., Any]
    ) -> None:
        """As `wrap`, by a function that gets the original and then the arguments.

        A call takes a frame more: for clients of others, as `docs/adding-a-client.md`
        shows.
        """

        def factory(wrapped: Method) -> Method:
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return call(wrapped, *args, **kwargs)

            return wrapper

        self.wrap(owner, name, factory)

    def add(self, owner: type, name: str, function: Method) -> None:
        """Give a class an attribute that it does not have."""
        if name not in owner.__dict__:
            setattr(owner, name, function)
            self._applied.append((owner, name, _ABSENT, function))

    def wrap_overrides(
        self, owner: type, factories: Mapping[str, Callable[[Method], Method]]
    ) -> None:
        """Wrap what the subclasses of a class define themselves, now and later.

        By the name of the attribute. A subclass may have a method of its own that does
        not call the one it overrides: ours would never run.
        """
        gate = self._gate

        def wrap_own(kind: type) -> None:
            try:
                for name, factory in factories.items():
                    if name in vars(kind) and not is_wrapped(vars(kind)[name]):
                        _replace(kind, name, factory)
            except Exception as error:
                gate.fault("subclass", error)

        def init_subclass(cls: Any, /, **options: Any) -> None:
            super(owner, cls).__init_subclass__(**options)  # type: ignore[arg-type]  # a class
            if gate.guard is not None:
                wrap_own(cls)

        self._overridden.setdefault(owner, set()).update(factories)
        self.add(owner, "__init_subclass__", classmethod(init_subclass))
        for kind in _subclasses(owner):
            wrap_own(kind)

    def remove(self) -> None:
        """Give every attribute back, the last patched first.

        Where somebody has patched on top of us, theirs stays, and our function below
        passes everything through from now on. Should they take theirs off, and put
        that function back, the next `remove` takes it away.
        """
        for owner, names in self._overridden.items():
            for kind in _subclasses(owner):
                for name in names & vars(kind).keys():
                    function: Any = vars(kind)[name]
                    # What others have put around ours has its mark, but is another.
                    mark: Any = getattr(function, _MARK, None)
                    if mark is not None and mark is function:
                        setattr(kind, name, mark.__wrapped__)
        buried = []
        while self._applied:
            patch = self._applied.pop()
            place, name, original, ours = patch
            current = place.__dict__.get(name, _ABSENT)
            if current is not ours:
                if current is not original:
                    buried.append(patch)
            elif original is _ABSENT:
                delattr(place, name)
            else:
                setattr(place, name, original)
        self._applied.extend(reversed(buried))


def _replace(
    owner: type | ModuleType, name: str, factory: Callable[[Method], Method]
) -> None:
    """Arguments as of `Patcher.wrap`."""
    import inspect

    from .wrapping import wrap_object

    def make(method: Method) -> Method:
        inner = _callable(method) if isinstance(owner, type) else method
        function = functools.wraps(method)(factory(inner))
        # `inspect.getfullargspec` does not look below a wrapper.
        with suppress(TypeError, ValueError):
            vars(function)["__signature__"] = inspect.signature(method)
        setattr(function, _MARK, function)
        return function

    wrap_object(owner, name, make)  # type: ignore[arg-type]  # any factory


def as_coroutine_function(function: Method) -> Method:
    """Let `inspect.iscoroutinefunction` and asyncio's take it for an ``async def``."""
    if sys.version_info >= (3, 12):
        import inspect

        return inspect.markcoroutinefunction(function)
    from asyncio import coroutines

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


def is_wrapped(function: Any) -> bool:
    """Whether our function is in a chain of wrappers already."""
    while function is not None:
        if getattr(function, _MARK, None) is not None:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def _subclasses(owner: type) -> set[type]:
    known: set[type] = set()
    todo = [owner]
    while todo:
        fresh: set[type] = set(type.__subclasses__(todo.pop())) - known
        known |= fresh
        todo += fresh
    return known


def _callable(method: Any) -> Method:
    """What to call, self first, to do as a look-up of the attribute would.

    A function is that already. Other libraries put descriptors in its place,
    such as `wrapt.FunctionWrapper` (OpenTelemetry and ddtrace do), which tell
    their wrapper who self is only where they were asked for the bound method.
    """
    # Not isinstance: those wrappers pretend to be what they wrap.
    if type(method) is FunctionType:
        return method
    bind = getattr(type(method), "__get__", None)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = method if bind is None else bind(method, self, type(self))
        return bound(*args, **kwargs)

    return call


class Package(NamedTuple):
    """A package with one client or several, which is never imported by us.

    Args:
        name: For the log, where it is left alone.
        imports: The modules after whose import `patch` is called.
        packages: The packages whose frames are never the site.
        patch: Wraps what opens, reads, closes and releases responses, by a patcher that
            takes the wrappers off at `uninstall`; they call `GATE`. What it raises is
            said once, and the package is left alone.
        adopters: Asked, after `patch`, where httpguard has come into a program that
            runs: what takes in what was there before, by class. Each is called with
            whatever objects there are of its class or of one derived from it, in any
            state and in any thread, and tells `Gate.adopt`, `Gate.pool` and
            `Gate.adopt_session`. Nothing of what is not imported.
    """

    name: str
    imports: tuple[str, ...]
    packages: tuple[str, ...]
    patch: Callable[[Patcher], None]
    adopters: Callable[[], Adopters] = dict


class Later:
    """A patch that is put on when it is first needed."""

    def __init__(self, patch: Callable[[Patcher], None]) -> None:
        self._patch = patch
        self._patchers: list[Patcher] = []
        self.is_on = False

    def promise(self, patcher: Patcher) -> None:
        """It is still to be patched, or again after `uninstall`."""
        self._patchers[:] = [patcher]
        self.is_on = False

    def put_on(self) -> None:
        """Patch it now. One thread does; no other waits for that."""
        try:
            patcher = self._patchers.pop()
        except IndexError:
            return
        self._patch(patcher)
        self.is_on = True
