"""One companion and httpguard, put on and taken off in an order."""

from __future__ import annotations

import gc
from types import FunctionType
from typing import Any, Final

import requests
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import HTTPResponse

import httpguard
from httpguard._process import installing as _installing
from httpguard._process import process as _process
from httpguard._stacks.ownership import is_own

from ._companions import COMPANIONS
from ._programs import PROGRAMS

ORDERS: Final = (
    "guard companion -guard -companion",
    "guard companion -companion -guard",
    "companion guard -guard -companion",
    "companion guard -companion -guard",
)
_PATCHED: Final = (
    (HTTPConnectionPool, "urlopen"),
    (HTTPConnectionPool, "_put_conn"),
    (HTTPResponse, "close"),
    (requests.adapters.HTTPAdapter, "send"),
    (requests.sessions, "dispatch_hook"),
)


def observe(name: str, order: str, url: str) -> list[dict[str, Any]]:
    """What was seen after each step of an order.

    Args:
        name: The companion.
        order: One of `ORDERS`.
        url: Of a response of 90000 bytes.

    Returns:
        For each step what the programs returned, the leaks found, and whether
        the companion saw requests; for ``-guard`` whether each attribute is what
        it has to be; at the end which ones are still ours.
    """
    return _Observation(name, url).run(order)


class _Observation:
    """The state between two steps."""

    def __init__(self, name: str, url: str) -> None:
        self.companion = COMPANIONS[name]()
        self.url = url
        self.now = 1000.0
        self.with_companion = False
        self.below: list[Any] = []

    def run(self, order: str) -> list[dict[str, Any]]:
        """Take each step, and run the programs after it."""
        steps = []
        for step in order.split():
            given_back = self.take(step)
            steps.append({"step": step, "given_back": given_back, **self.judge()})
            if step == "-companion" and self.companion.strips and _process.current():
                self.install()  # As README says.
                steps.append({"step": "guard again", **self.judge()})
        httpguard.uninstall()
        left = [_is_ours(attribute) for attribute in _attributes()]
        return [*steps, {"step": "end", "ours_left": left}]

    def install(self) -> None:
        """Install the guard, with a clock that is moved by hand."""
        known = self.below or _attributes()
        self.below = [
            under if _is_ours(now) else now
            for now, under in zip(_attributes(), known, strict=True)
        ]
        _installing.start(httpguard.Settings(check_interval=0), lambda: self.now)

    def take(self, step: str) -> list[bool]:
        """Take a step; after ``-guard``, whether each attribute is as it should be."""
        before = _attributes()
        if step == "guard":
            self.install()
        elif step == "-guard":
            httpguard.uninstall()
            # Ours on top: what was below is back. Theirs on top: it stays.
            return [
                new is (under if _is_ours(old) else old)
                for new, old, under in zip(
                    _attributes(), before, self.below, strict=True
                )
            ]
        elif step == "companion":
            self.companion.put_on()
            self.with_companion = True
        else:
            self.companion.take_off()
            self.with_companion = False
        return []

    def judge(self) -> dict[str, Any]:
        """Run every program, and ask the guard and the companion what they saw."""
        found_before = _leaks()
        seen_before = self.companion.seen() if self.with_companion else 0
        results = [program(self.url) for program in PROGRAMS]
        if self.with_companion:
            self.companion.mocked()
        plain = [
            result if isinstance(result, (int, tuple)) else 0 for result in results
        ]
        # ddtrace's spans refer to responses in cycles.
        gc.collect()
        self.now += 61
        httpguard.check()
        found = _leaks()
        for result in results:
            if isinstance(result, requests.Response):
                result.close()
        new = {key: found[key] - found_before.get(key, 0) for key in found}
        return {
            "results": plain,
            "leaks": {key: count for key, count in new.items() if count},
            "errors": httpguard.snapshot().counters.get("errors", 0),
            "companion": self.with_companion and self.companion.seen() > seen_before,
        }


def _leaks() -> dict[str, int]:
    """Kind and line to count."""
    return {
        f"{leak.kind}:{leak.site.lineno}": leak.count
        for leak in httpguard.snapshot().leaks
        if leak.site.filename.endswith("_programs.py")
    }


def _attributes() -> list[Any]:
    """What lies in the classes now."""
    return [owner.__dict__[name] for owner, name in _PATCHED]


def _is_ours(attribute: Any) -> bool:
    """Whether it is a function of httpguard, and no proxy of one."""
    return type(attribute) is FunctionType and is_own(attribute.__code__.co_filename)
