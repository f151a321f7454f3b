"""The HTTP clients: one file or folder each, put on and taken off together.

wrapt's post-import hooks patch a client whether it is imported before `install` or
after, and never import it.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from .aiohttp import PACKAGE as AIOHTTP
from .docker import DOCKER, patch_docker
from .gate import GATE
from .http_client import PACKAGE as HTTP_CLIENT
from .httpx import PACKAGE as HTTPX
from .httpx import PACKAGE2 as HTTPX2
from .patching import LeftAloneError, Patcher
from .requests import PACKAGE as REQUESTS
from .requests import requests_package
from .tasks import EXECUTORS, patch_executors
from .urllib3.callers import Codes
from .urllib3.client import Urllib3
from .urllib3.package import PACKAGE as URLLIB3
from .urllib3.package import urllib3_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .guard import Guard
    from .patching import Adopters, Package

# Packages in which copies of urllib3 and requests are known to lie.
_KNOWN: Final = ("pip._vendor", "snowflake.connector.vendored")
_LOGGER: Final = logging.getLogger("httpguard")
# Clients that nobody guards, and why, of which the log says so: `no_leaks` does not
# know of them.
_STRANGERS: Final = {
    "niquests": "it stands on urllib3-future, whose connections come back by other ways"
}
PACKAGES: Final[tuple[Package, ...]] = (
    URLLIB3,
    REQUESTS,
    HTTPX,
    HTTPX2,
    AIOHTTP,
    HTTP_CLIENT,
)


def _places(named: Iterable[str]) -> tuple[str, ...]:
    """The packages in which copies may lie: such packages, or the copies, are named."""
    found = [name.removesuffix(".urllib3").removesuffix(".requests") for name in named]
    return tuple(dict.fromkeys((*_KNOWN, *found)))


def _copies_in(place: str) -> tuple[Package, ...]:
    codes = Codes(Urllib3(f"{place}.urllib3"))
    return urllib3_package(codes), requests_package(f"{place}.requests", codes)


def client_packages(vendored: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The packages whose frames are never the site, of every client."""
    known = (package for one in PACKAGES for package in one.packages)
    copied = (
        f"{place}.{name}"
        for place in _places(vendored)
        for name in ("urllib3", "requests")
    )
    return tuple(dict.fromkeys((*known, *copied)))


class Patches:
    """What is patched in this process."""

    def __init__(self) -> None:
        self._patcher = Patcher(GATE)
        # The modules whose hook is registered: that runs once, and stays.
        self._hooked: set[tuple[str, str]] = set()
        # Makes the lock of the import hooks anew; None: there are none.
        self._renew: Callable[[], None] | None = None
        # The modules that nobody watches, and why.
        self.unguarded: dict[tuple[str, str], str] = {}
        # Copies, by the package in which they lie.
        self._copies: dict[str, tuple[Package, ...]] = {}
        # Clients that are left alone, of which that was said.
        self._said: dict[str, str] = {}

    def tell(self, guard: Guard | None) -> None:
        """Let the wrappers tell a guard; None: pass everything through."""
        if guard is None:
            GATE.shut()
        else:
            GATE.open(guard)

    def put_on(self, vendored: tuple[str, ...] = ()) -> None:
        """Patch every client that is imported, and each other one when it is."""
        known = [*PACKAGES]
        for place in _places(vendored):
            if place not in self._copies:
                self._copies[place] = _copies_in(place)
            known += self._copies[place]
        for package in known:
            for module in package.imports:
                self.hook(package.name, module, package.patch)
        self.hook("docker", DOCKER, patch_docker)
        for name in _STRANGERS:
            self.hook(name, name, partial(self._leave, name))

    def _leave(self, name: str, _patcher: Patcher) -> None:
        """A client came that nobody guards: say so once."""
        self._say(name, _STRANGERS[name])

    def _say(self, name: str, reason: str) -> None:
        if self._said.get(name) != reason:
            self._said[name] = reason
            _LOGGER.warning("httpguard leaves %s unguarded: %s", name, reason)

    def follow_executors(self) -> None:
        """Patch thread pools, for the time until `take_off`."""
        self.hook("executors", EXECUTORS, patch_executors)

    def adopters(self) -> Adopters:
        """What takes in what was there before, of every client that is guarded."""
        found: Adopters = {}
        known = [*PACKAGES, *(one for copy in self._copies.values() for one in copy)]
        for package in known:
            try:
                found.update(package.adopters())
            except Exception as error:  # noqa: PERF203  # Of a version unknown to us.
                GATE.fault("adopt", error)
        return found

    def take_off(self) -> None:
        GATE.shut()
        self._patcher.remove()
        self.unguarded.clear()

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        """In the parent, before a fork: it has no threads."""

    def resume(self) -> None:
        """In the parent, after it."""

    def forget(self) -> None:
        """In the child: a lock of the import hooks may be another thread's."""
        # No import: where a command's visit ends with the fork, all of ours is gone.
        if self._renew is not None:
            self._renew()

    def hook(self, name: str, module: str, patch: Callable[[Patcher], None]) -> None:
        """Patch a module now or when it is imported, for the time until `take_off`."""
        from .wrapping import forget, register_post_import_hook

        self._renew = forget
        if (name, module) not in self._hooked:
            self._hooked.add((name, module))
            register_post_import_hook(
                partial(self._patch, (name, module), patch), module
            )
        elif module in sys.modules:
            # A hook runs once; after `take_off` the patch is put on from here.
            self._patch((name, module), patch, None)

    def _patch(
        self,
        key: tuple[str, str],
        patch: Callable[[Patcher], None],
        _module: object,
    ) -> None:
        """Patch a client, unless httpguard was uninstalled before it came."""
        if GATE.guard is None:
            return
        self.unguarded.pop(key, None)
        try:
            patch(self._patcher)
        except LeftAloneError as error:
            self.unguarded[key] = str(error)
            self._say(key[0], str(error))
        except Exception as error:  # Of a version that we do not know, say.
            self.unguarded[key] = f"{type(error).__name__}: {error}"
            GATE.fault("patches", error)
