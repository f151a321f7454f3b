"""The points where a fault can be injected: every function and method there is."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What runs inside a guarded program whatever its settings are.
CORE: Final = (
    "_clients",
    "_clients.tasks",
    "_clients.forwarding",
    "_clients.gate",
    "_clients.patching",
    "_clients.requests",
    "_clients.urllib3.callers",
    "_clients.urllib3.client",
    "_clients.urllib3.managers",
    "_clients.urllib3.mocks",
    "_clients.urllib3.package",
    "_clients.urllib3.pools",
    "_clients.urllib3.responses",
    "_guard.calls",
    "_guard.guard",
    "_guard.parts",
    "_guard.outbox",
    "_guard.reports",
    "_guard.scopes",
    "_guard.strict",
    "_guard.watcher",
    "_holders.search",
    "_holders.steps",
    "_leases.detector",
    "_leases.ends",
    "_leases.held",
    "_leases.lease",
    "_leases.opening",
    "_leases.readers",
    "_leases.registry",
    "_leases.session_detector",
    "_leases.sessions",
    "_leases.snapshots",
    "_leases.table",
    "_leases.threads",
    "_leases.wire",
    "_model.failure",
    "_model.fork",
    "_model.leak",
    "_model.plain",
    "_model.redaction",
    "_model.scope",
    "_model.tally",
    "_model.words",
    "_pools.kind",
    "_pools.pool",
    "_pools.pools",
    "_pools.slot",
    "_pools.waits",
    "_pressure.descriptors",
    "_pressure.pools",
    "_pressure.shortage",
    "_process.exits",
    "_process.forks",
    "_process.installing",
    "_process.process",
    "_process.session",
    "_reporting.context",
    "_reporting.logs",
    "_reporting.structlog",
    "_stacks.capture",
    "_stacks.ownership",
    "_stacks.running",
    "_stacks.sites",
    "_stacks.submission",
    "_stacks.variables",
    "_stacks.waits",
    "_text.events",
    "_text.leaks",
    "_text.pools",
)
# What runs inside a program that uses one of these clients.
CLIENTS: Final = (
    *(f"_clients.{name}" for name in ("aiohttp", "http_client", "httpx")),
    *(
        f"_clients.httpx.{name}"
        for name in ("client", "cut_off", "notes", "pools", "reclaiming", "responses")
    ),
    *(f"_clients.httpx.{name}" for name in ("streams", "transports", "window")),
    *(f"_clients.aiohttp.{name}" for name in ("calls", "client", "connectors")),
    *(f"_clients.aiohttp.{name}" for name in ("taking",)),
    *(f"_clients.http_client.{name}" for name in ("client", "connections")),
    *(f"_clients.http_client.{name}" for name in ("pools", "responses")),
    "_clients.hints",
    "_clients.patching",
    "_clients.sessions",
    "_clients.tasks",
    "_leases.references",
    "_stacks.tasks",
)


class FaultError(Exception):
    """What is injected."""


@dataclass(frozen=True)
class Point:
    """One function of ours.

    Args:
        name: Module, without the package, and qualified name.
        function: The function itself: what refers to it, refers to the fault.
    """

    name: str
    function: FunctionType

    def __str__(self) -> str:
        """For the id of a test."""
        return self.name


def points(modules: Iterable[str] = CORE) -> list[Point]:
    """Every function of every module of the core.

    Args:
        modules: Others, in its place.
    """
    found: dict[str, Point] = {}
    for name in modules:
        module = import_module(f"httpguard.{name}")
        for owner in (module, *_classes(module)):
            for item in vars(owner).values():
                for function in _functions(item):
                    if function.__module__ == module.__name__:
                        place = function.__module__.removeprefix("httpguard.")
                        label = f"{place}.{function.__qualname__}"
                        found[label] = Point(label, function)
    return list(found.values())


@contextmanager
def fault(function: FunctionType, error: type[Exception]) -> Iterator[Counter[str]]:
    """Make a function raise whenever it is called, by whatever name.

    Args:
        function: The function. Its code is replaced, so that every reference to it
            is hit, those that other modules imported included.
        error: What it raises.

    Yields:
        A counter, whose ``hits`` says how often it was called.
    """
    code = function.__code__
    hits: Counter[str] = Counter()
    _RAISING[0] = (hits, error)
    function.__code__ = _raising(len(code.co_freevars))
    try:
        yield hits
    finally:
        function.__code__ = code


@contextmanager
def calls() -> Iterator[set[CodeType]]:
    """Which code runs inside the block, in this thread."""
    seen: set[CodeType] = set()

    def note(frame: Any, *_: object) -> None:
        seen.add(frame.f_code)

    # Unlike a profiler it is not told of what is called in C.
    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield seen
    finally:
        sys.settrace(before)


# The replaced functions run with their own globals, and find this module here.
_RAISING: Final[list[tuple[Counter[str], type[Exception]]]] = [(Counter(), FaultError)]


def hit() -> None:
    """Called in place of the function."""
    hits, error = _RAISING[0]
    hits["hits"] += 1
    raise error


@cache
def _raising(free: int) -> CodeType:
    """Code that calls `hit`, with as many free variables as what it replaces."""
    names = [f"free{number}" for number in range(free)]
    lines = [
        "def outer():",
        *[f"    {name} = None" for name in names],
        "    def raising(*arguments, **options):",
        f"        ({', '.join(names)})",
        f"        __import__('sys').modules[{__name__!r}].hit()",
        "    return raising",
    ]
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)
    code: CodeType = namespace["outer"]().__code__
    return code


def _classes(module: ModuleType) -> list[type]:
    """The classes that a module defines."""
    return [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and item.__module__ == module.__name__
    ]


def _functions(item: Any) -> list[FunctionType]:
    """The plain functions behind an attribute."""
    if isinstance(item, property):
        candidates = [item.fget, item.fset]
    elif isinstance(item, (staticmethod, classmethod)):
        candidates = [item.__func__]
    else:
        candidates = [item, getattr(item, "__wrapped__", None)]
    return [
        candidate
        for candidate in candidates
        if type(candidate) is FunctionType
        and "httpguard" in candidate.__code__.co_filename
    ]
