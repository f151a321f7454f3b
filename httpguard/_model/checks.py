"""How the values of settings are read, and what an error says is accepted."""

from __future__ import annotations

import math
import operator
import os
import re
import threading
from collections.abc import Callable  # noqa: TC003  # For typing.get_type_hints.
from typing import Any, Final, NamedTuple

from .errors import ConfigError

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_LAST_PORT: Final = 65535
# A wait for longer than `TIMEOUT_MAX` raises OverflowError: 49 days on Windows.
_LONGEST_WAIT: Final = min(1e9, threading.TIMEOUT_MAX)
_ENDLESS: Final = 1e9


class Check(NamedTuple):
    """How one kind of value is read.

    Args:
        takes: What `install` is annotated with.
        accepted: What an error says is accepted.
        read: Brings a value to its type. Raises TypeError, ValueError or
            OverflowError.
        unit: What a default is followed by where people read it.
    """

    takes: str
    accepted: str
    read: Callable[[Any], Any]
    unit: str = ""

    def take(self, value: Any, shown: str, *, secret: bool = False) -> Any:
        """A value in its type; an error calls it as `shown`, and leaves a secret out.

        Raises `ConfigError` where it is not accepted.
        """
        try:
            return self.read(value)
        except (TypeError, ValueError, OverflowError):
            told = "..." if secret else repr(value)
            msg = f"{shown}={told} is not accepted: {self.accepted}"
            raise ConfigError(msg) from None


def whole(least: int, most: int, *, none: str = "", note: str = "") -> Check:
    """A whole number, within bounds.

    `none` is what no number means, where that is accepted, `note` what else an error
    says.
    """

    def read(value: Any) -> int | None:
        if none and _is_none(value):
            return None
        if isinstance(value, bool):
            raise TypeError
        number = int(value) if isinstance(value, str) else operator.index(value)
        if not least <= number <= most:
            raise ValueError
        return number

    bounds = f"a whole number from {least} to {most:,}"
    return Check("int | None" if none else "int", _accepted(bounds, none, note), read)


def seconds(
    least: float = 0, *, waits: bool = False, none: str = "", note: str = ""
) -> Check:
    """A number of seconds; of those that a thread `waits`, not too many. As `whole`."""
    most = _LONGEST_WAIT if waits else _ENDLESS
    bounds = f"a number of seconds from {least:g} to {int(most):,}"
    takes = "float | None" if none else "float"
    read = _number(least, most, none)
    return Check(takes, _accepted(bounds, none, note), read, " s")


def _number(least: float, most: float, none: str) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        if none and _is_none(value):
            return None
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
        if math.isnan(number) or not least <= number <= most:
            raise ValueError
        return number

    return read


def _accepted(bounds: str, none: str, note: str) -> str:
    beside = f", or none for {none}" if none else ""
    return f"{bounds}{beside} ({note})" if note else f"{bounds}{beside}"


def _is_none(value: Any) -> bool:
    """Whether it is None, by name too: variables are text."""
    return value is None or (isinstance(value, str) and value.strip().lower() == "none")


def choice(*words: str) -> Check:
    """One of some words."""

    def read(value: Any) -> str:
        word = str(value).strip().lower()
        if word not in words:
            raise ValueError
        return word

    return Check("str", " or ".join(words), read)


def _switch(value: Any) -> bool:
    """A bool, 0 or 1, or one of the usual words."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _patterns(value: Any) -> tuple[str, ...]:
    """A comma-separated text or any iterable of text."""
    items = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in items):
        raise TypeError
    return tuple(item.strip() for item in items if item.strip())


def _path(value: Any) -> str | None:
    """The path of a file, or none."""
    if _is_none(value):
        return None
    path = os.fspath(value)
    if not isinstance(path, str) or "\0" in path:
        raise TypeError
    return path or None


def _packages(value: Any) -> tuple[str, ...]:
    names = _patterns(value)
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise ValueError
    return names


def _address(value: Any) -> tuple[str, int] | None:
    """A port, ``HOST:PORT``, or the two of them."""
    if _is_none(value) or value == "":
        return None
    host, port = "127.0.0.1", value
    if isinstance(value, tuple):
        host, port = value
    elif isinstance(value, str) and ":" in value:
        host, _, port = value.rpartition(":")
    if not isinstance(host, str):
        raise TypeError
    host = host.strip().strip("[]")
    if not re.fullmatch(r"[\w.:%-]+", host):
        raise ValueError
    number: int = PORT.read(port)
    return host, number


def _token(value: Any) -> str | None:
    """A secret fit for a header and a link."""
    if _is_none(value):
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{16,512}", value.strip()):
        raise ValueError
    return value.strip()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. No name but one is trusted."""
    import ipaddress  # 2 ms, and seldom needed.

    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


PORT: Final = whole(0, _LAST_PORT)
SWITCH: Final = Check(
    "bool", "a bool, or one of 1/true/yes/on and 0/false/no/off", _switch
)
SHARE: Final = Check("float", "a number from 0 to 1", _number(0.0, 1.0, none=""))
PATTERNS: Final = Check(
    "Iterable[str]", "a sequence of texts, or one text separated by commas", _patterns
)
PACKAGES: Final = Check(
    "Iterable[str]",
    "dotted names of packages, in a list or separated by commas",
    _packages,
)
PATH: Final = Check(
    "str | os.PathLike[str] | None",
    "the path of a file, as text or os.PathLike, or none for no file",
    _path,
)
ADDRESS: Final = Check(
    "int | str | tuple[str, int] | None",
    f"a port from 0 to {_LAST_PORT}, or HOST:PORT, or the two in a tuple, or none for"
    " no page",
    _address,
)
TOKEN: Final = Check(
    "str | None",
    "16 to 512 printable ASCII characters without spaces, or none for no token",
    _token,
)
