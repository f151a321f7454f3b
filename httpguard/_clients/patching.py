"""How an attribute is replaced, and given back as the very object it was."""

from __future__ import annotations

import functools
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._leases.registry import Listener, Registry
from .urllib3.mocks import KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FrameType, ModuleType

    from urllib3.connectionpool import HTTPConnectionPool

    from .._leases.sessions import SessionRef
    from .._pools.pool import PoolRef, Waiter


class Hub(Listener, Protocol):
    """Whom the patches tell what they see."""

    registry: Registry
    # Whether sessions are looked at.
    judges_sessions: bool

    def before_request(self) -> None:
        """A guarded call begins; may raise `LeakError`."""

    def step_aside(self, where: str, error: Exception) -> None:
        """A patch failed."""

    def attend(self) -> None:
        """Something happened that the watcher should look at."""

    def begin_wait(self, pool: PoolRef, frame: FrameType) -> Waiter | None:
        """A request is about to wait for a connection."""

    def end_wait(self, waiter: Waiter | None) -> None:
        """It waits no more."""

    def explain(self, pool: PoolRef, error: Exception) -> None:
        """It got none: say to the program why."""

    def made(self, session: Any, client: str, frame: FrameType) -> None:
        """The program made a session."""

    def own(self, session: SessionRef, pool: HTTPConnectionPool) -> None:
        """A session made a pool."""


class State:
    """Who listens at the moment; None makes every patch pass calls through.

    The registry is there at any time: one that stays empty where nobody listens.
    Beside that, the code of the functions by which the patches recognise a caller,
    None until their library is imported.
    """

    __slots__ = (
        "adapter_send",
        "dispatch_hook",
        "hub",
        "manager_urlopen",
        "own_send",
        "own_urlopen",
        "registry",
        "session_send",
        "urlopen",
        "world",
    )

    def __init__(self) -> None:
        """Nobody listens yet."""
        self.hub: Hub | None = None
        self.registry = _NOBODY
        self.session_send: CodeType | None = None
        self.adapter_send: CodeType | None = None
        self.dispatch_hook: CodeType | None = None
        self.urlopen: CodeType | None = None
        self.manager_urlopen: CodeType | None = None
        # Of our functions around the adapter's and the pool's.
        self.own_send: CodeType | None = None
        self.own_urlopen: CodeType | None = None
        self.settle()

    def settle(self) -> None:
        """Put together what `open_lease` has to know, when some of it has changed."""
        # In the order in which `_speedups.c` names them.
        self.world = (
            self.manager_urlopen,
            self.urlopen,
            self.adapter_send,
            self.own_send,
            *KNOWN,
        )


_NOBODY: Final = Registry()
STATE: Final = State()
_ABSENT: Final = object()
_MARK: Final = "_httpguard_patch"
_applied: Final[list[tuple[type | ModuleType, str, Any, Any]]] = []

Method = Any


def connect(hub: Hub) -> None:
    """Let the patches tell a hub."""
    STATE.hub = hub
    STATE.registry = hub.registry
    STATE.registry.listen(hub)


def disconnect() -> None:
    """Let the patches pass everything through, without taking them off."""
    STATE.hub = None
    STATE.registry = _NOBODY


def wrap(
    owner: type | ModuleType, name: str, factory: Callable[[Method], Method]
) -> None:
    """Have wrapt replace a function by one around it.

    A plain function, since these run several times a request: a call with eight
    arguments through `wrapt.FunctionWrapper` costs 0.8 us, through this 0.5, and less
    than 0.1 where the function names them (``benchmarks/``). Name, signature and
    documentation stay what they were.

    Args:
        owner: The class or module whose own attribute it is.
        name: The attribute.
        factory: Makes the function from the original.
    """
    import inspect

    import wrapt

    original = owner.__dict__[name]
    if is_wrapped(original):
        return

    def make(method: Method) -> Method:
        inner = _callable(method) if isinstance(owner, type) else method
        function = functools.wraps(method)(factory(inner))
        # `inspect.getfullargspec` does not look below a wrapper.
        with suppress(TypeError, ValueError):
            vars(function)["__signature__"] = inspect.signature(method)
        setattr(function, _MARK, True)
        return function

    wrapt.wrap_object(owner, name, make)  # type: ignore[arg-type]  # any factory
    _applied.append((owner, name, original, owner.__dict__[name]))


def add(owner: type, name: str, function: Method) -> None:
    """Give a class an attribute that it does not have.

    Args:
        owner: The class.
        name: The attribute.
        function: Its value.
    """
    if name not in owner.__dict__:
        setattr(owner, name, function)
        _applied.append((owner, name, _ABSENT, function))


def follow(owner: type, factories: Mapping[str, Callable[[Method], Method]]) -> None:
    """Wrap what the subclasses of a class define themselves, now and later.

    A subclass may have a method of its own that does not call the one it
    overrides: ours would never run.

    Args:
        owner: The class.
        factories: By the name of the attribute, as for `wrap`.
    """

    def wrap_own(kind: type) -> None:
        try:
            for name, factory in factories.items():
                if name in vars(kind):
                    wrap(kind, name, factory)
        except Exception as error:
            step_aside("follow", error)

    def init_subclass(cls: Any, /, **options: Any) -> None:
        super(owner, cls).__init_subclass__(**options)  # type: ignore[arg-type]  # a class
        if STATE.hub is not None:
            wrap_own(cls)

    add(owner, "__init_subclass__", classmethod(init_subclass))
    for kind in _subclasses(owner):
        wrap_own(kind)


def step_aside(where: str, error: Exception) -> None:
    """A patch failed: the guard says so, if there is one."""
    hub = STATE.hub
    if hub is not None:
        hub.step_aside(where, error)


def remove() -> None:
    """Give every attribute back, the last patched first.

    Where somebody has patched on top of us, theirs stays, and our function below
    passes everything through from now on. Should they take theirs off, and put
    that function back, the next `remove` takes it away.
    """
    disconnect()
    buried = []
    while _applied:
        patch = _applied.pop()
        owner, name, original, ours = patch
        current = owner.__dict__.get(name, _ABSENT)
        if current is not ours:
            if current is not original:
                buried.append(patch)
        elif original is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, original)
    _applied.extend(reversed(buried))


def code_of(function: Any) -> CodeType | None:
    """The code of a function, below whatever others have wrapped around it."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return getattr(function, "__code__", None)


def _subclasses(owner: type) -> set[type]:
    """The subclasses there are, at any depth."""
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

    Args:
        method: As it lies in the class.
    """
    # Not isinstance: those wrappers pretend to be what they wrap.
    if type(method) is FunctionType:
        return method
    bind = getattr(type(method), "__get__", None)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = method if bind is None else bind(method, self, type(self))
        return bound(*args, **kwargs)

    return call


def is_wrapped(function: Any) -> bool:
    """Whether our function is in a chain of wrappers already."""
    while function is not None:
        if getattr(function, _MARK, False):
            return True
        function = getattr(function, "__wrapped__", None)
    return False
