"""A package that httpguard patches: what a client's patches are put on by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .patching import Patcher

    Adopters = dict[type, Callable[[Any], object]]


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
