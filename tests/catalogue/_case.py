"""A case of the catalogue, and the two decorators that make one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from tests.server import Address

Program = Callable[[Address], object]
"""A small program against the server.

What it returns stays alive until it is judged, the runner's reference being the
only one. A generator function is a program during which time passes: at each
``yield`` the clock goes on for three quarters of `max_idle`, then the guard
sweeps.
"""

CASES: Final[list[Case]] = []


@dataclass(frozen=True, slots=True)
class Case:
    """One program and what is to be found in it.

    Args:
        name: Module and function.
        function: The program.
        kind: The kind of leak, None for an innocent program.
        count: How often it leaks, at each of its lines.
        filename: The file of the guilty lines, or how its path ends where the
            application's code is not on the stack.
        lines: The guilty lines; empty where only the file is known.
        client: `Leak.client` of the leak.
        needs: The modules it imports beside requests and urllib3.
        settings: Keyword arguments of `install`.
        subprocess: It runs in a process of its own.
        twin_of: The name of the leaking case whose innocent twin this is.
        idle: How much of `max_idle` passes between its end and the judgement.
        keep: Whether what it returns lives until then.
    """

    name: str
    function: Program
    kind: str | None = None
    count: int = 1
    filename: str = ""
    lines: tuple[int, ...] = ()
    client: str = "requests"
    needs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    subprocess: bool = False
    twin_of: str | None = None
    idle: float = 0.0
    keep: bool = True

    @property
    def line(self) -> int | None:
        """The first guilty line."""
        return self.lines[0] if self.lines else None

    @property
    def runnable(self) -> bool:
        """Whether all the modules it needs are installed."""
        return all(find_spec(module) is not None for module in self.needs)


def leaks(
    kind: str = "dropped",
    *,
    count: int = 1,
    sites: int = 1,
    site: str | None = None,
    client: str = "requests",
    needs: tuple[str, ...] = (),
    settings: Mapping[str, Any] | None = None,
    subprocess: bool = False,
) -> Callable[[Program], Program]:
    """Put a leaking program into the catalogue.

    Args:
        kind: What `Leak.kind` must be. A program of kind ``open`` runs inside
            `no_leaks`.
        count: What `Leak.count` must be.
        sites: How many of its lines carry the comment ``# LEAK``: the lines
            that open the responses.
        site: How the path of the guilty file ends, for a program that is not on
            the stack when its response is opened. It has no such comment.
        client: What `Leak.client` must be.
        needs: The modules it imports beside requests and urllib3.
        settings: Keyword arguments of `install`.
        subprocess: Run it in a process of its own.
    """

    def register(function: Program) -> Program:
        lines = () if site else _guilty_lines(function)
        if not site and len(lines) != sites:
            msg = f"{function.__name__}: {len(lines)} lines say LEAK, not {sites}"
            raise ValueError(msg)
        case = Case(
            name=_name(function),
            function=function,
            kind=kind,
            count=count,
            filename=site or inspect.unwrap(function).__code__.co_filename,
            lines=lines,
            client=client,
            needs=needs,
            settings=settings or {},
            subprocess=subprocess,
            idle=1.5 if kind in {"held", "unreleased", "session"} else 0.0,
        )
        CASES.append(case)
        return function

    return register


def innocent(
    *,
    twin_of: Program,
    idle: float = 1.5,
    keep: bool = True,
    needs: tuple[str, ...] = (),
    settings: Mapping[str, Any] | None = None,
    subprocess: bool = False,
) -> Callable[[Program], Program]:
    """Put an innocent program into the catalogue.

    Args:
        twin_of: The leaking program it is nearest to.
        idle: How much of `max_idle` passes between its end and the judgement.
            Below 1.0 for a program that may rightly hold an open response.
        keep: Whether what it returns lives until it is judged.
        needs: The modules it imports beside requests and urllib3.
        settings: Keyword arguments of `install`.
        subprocess: Run it in a process of its own.
    """

    def register(function: Program) -> Program:
        case = Case(
            name=_name(function),
            function=function,
            needs=needs,
            settings=settings or {},
            subprocess=subprocess,
            twin_of=_name(twin_of),
            idle=idle,
            keep=keep,
        )
        CASES.append(case)
        return function

    return register


def _name(function: Program) -> str:
    """The module's last name and the function's."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def _guilty_lines(function: Program) -> tuple[int, ...]:
    """The lines of a function that say LEAK in a comment."""
    source, first = inspect.getsourcelines(function)
    marked = [line.rstrip().endswith("# LEAK") for line in source]
    return tuple(first + number for number, mark in enumerate(marked) if mark)
