"""The settings: keyword arguments, environment variables, and their checks."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PREFIX: Final = "HTTPGUARD_"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the guard does, all of it.

    Every field is a keyword argument of `install` and an environment variable
    ``HTTPGUARD_<NAME>``; keyword arguments win.

    Args:
        strict: Raise `LeakError` past the thresholds instead of only logging.
        max_leaks: Strict mode raises when more than this many leaks were found.
        max_open: More responses than this open at once is reported; in strict
            mode the request that goes over it is closed and raises. None: no
            limit.
        max_idle: Seconds an open response may make no progress before it is
            `held`.
        check_interval: Seconds between sweeps of the watcher thread. 0: no
            thread, sweeps happen in `check` and in guarded calls only.
        stack_depth: Application frames kept for each lease, where its site has leaked
            or is not known yet.
        sample: Share of responses, 0 to 1, whose stack is kept and whose leaks
            are reported. The counters stay exact.
        app: Module prefixes that count as the application's own code although
            they are installed in site-packages.
        ignore: URL patterns (they contain a ``/``) or module patterns, with
            ``*`` and ``?`` as wildcards, that are never judged.
        max_wait: Seconds a request may wait for a connection of a blocking pool
            before that is reported. None: not reported.
        max_sessions: More sessions than this that one line has made and that are
            in use and not closed are leaks. None: sessions are not judged.
        reclaim: Give slots of blocking pools that leaks have taken back.
        on_held: ``report`` a `held` response only, or ``close`` it after that.
        log: A file to which every event is appended as a line of JSON, whatever
            the logs do; any number of processes may share it. None: no file.
        log_max_bytes: The file is rotated before it becomes larger; 0: never.
        log_keep: Rotated files to keep: ``FILE.1`` is the latest.
        explain: Seconds, for each site, that a sweep may search for what still
            refers to a response that is `held` or `open`. 0: it does not.
        follow_executors: Patch thread pools too, so that the stack of what their
            workers open goes on to the line that submitted the work.
        enabled: False turns `install` into nothing.
        serve: Host and port of the live page (a port alone is one of 127.0.0.1;
            0: a free one). None: no page.
        serve_token: What whoever wants to see the page has to know.

    Raises:
        ConfigError: A value is not accepted.
    """

    strict: bool = False
    max_leaks: int = 0
    max_open: int | None = None
    max_idle: float = 60.0
    check_interval: float = 5.0
    stack_depth: int = 32
    sample: float = 1.0
    app: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    max_wait: float | None = 5.0
    max_sessions: int | None = 20
    reclaim: bool = False
    on_held: str = "report"
    log: str | None = None
    log_max_bytes: int = 64 * 1024 * 1024
    log_keep: int = 3
    explain: float = 0.02
    follow_executors: bool = False
    enabled: bool = True
    serve: tuple[str, int] | None = None
    serve_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check every field, and bring text and lists to the field's type."""
        for each in fields(self):
            value = _checked(each.name, getattr(self, each.name), each.name)
            object.__setattr__(self, each.name, value)
        if self.serve is not None:
            check_address(*self.serve, self.serve_token)


def load_settings(
    arguments: Mapping[str, Any], environment: Mapping[str, str]
) -> Settings:
    """Settings from keyword arguments, else the environment, else defaults.

    Args:
        arguments: The keyword arguments of `install` that were given.
        environment: Usually ``os.environ``. An empty variable counts as unset.

    Returns:
        The settings. Where they say ``enabled=False`` nothing else is read.

    Raises:
        ConfigError: A value is not accepted.
    """
    values = dict(arguments)
    for name in _CHECKS:
        text = environment.get(_PREFIX + name.upper(), "")
        if name not in values and text.strip():
            values[name] = _Variable(text)
    if not _checked("enabled", values.get("enabled", True), "enabled"):
        return Settings(enabled=False)
    return Settings(**values)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings of ours and are none: likely typos.

    Args:
        environment: Usually ``os.environ``.

    Returns:
        Their names, sorted.
    """
    known = {_PREFIX + name.upper() for name in _CHECKS}
    return sorted(
        name for name in environment if name.startswith(_PREFIX) and name not in known
    )


def check(name: str, value: Any, shown: str) -> Any:
    """One setting's value in its type.

    Args:
        name: The setting.
        value: As a user gave it.
        shown: What an error calls it: an option, say.

    Raises:
        ConfigError: It is not accepted.
    """
    return _checked(name, value, shown)


class _Variable(str):
    """Text that came from an environment variable: errors then name that."""

    __slots__ = ()


def _checked(name: str, value: Any, shown: str) -> Any:
    """The value in the field's type, or the error that says what is accepted."""
    check, accepted = _CHECKS[name]
    try:
        return check(value)
    except (TypeError, ValueError):
        where = _PREFIX + name.upper() if isinstance(value, _Variable) else shown
        text = str(value) if isinstance(value, _Variable) else value
        if name in _SECRET:
            text = "..."
        msg = f"{where}={text!r} is not accepted: {accepted}"
        raise ConfigError(msg) from None


def _boolean(value: Any) -> bool:
    """A bool, 0 or 1, or one of the usual words."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _whole(minimum: int) -> Callable[[Any], int]:
    """A whole number from `minimum` up."""

    def check(value: Any) -> int:
        if isinstance(value, (bool, float)):
            raise TypeError
        number = int(value)
        if number < minimum:
            raise ValueError
        return number

    return check


def _limit(value: Any) -> int | None:
    """A whole number from 1 up, or no limit."""
    if value is None or str(value).strip().lower() == "none":
        return None
    return _whole(1)(value)


def _wait(value: Any) -> float | None:
    """A number of seconds, or no limit."""
    if value is None or str(value).strip().lower() == "none":
        return None
    return _number(0.0)(value)


def _choice(*words: str) -> Callable[[Any], str]:
    """One of some words."""

    def check(value: Any) -> str:
        word = str(value).strip().lower()
        if word not in words:
            raise ValueError
        return word

    return check


def _number(minimum: float, maximum: float = math.inf) -> Callable[[Any], float]:
    """A finite number within bounds."""

    def check(value: Any) -> float:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
        if not math.isfinite(number) or not minimum <= number <= maximum:
            raise ValueError
        return number

    return check


def _words(value: str | Iterable[str]) -> tuple[str, ...]:
    """Patterns: a comma-separated text or any iterable of text."""
    items = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in items):
        raise TypeError
    return tuple(item.strip() for item in items if item.strip())


def check_address(host: str, port: int, token: str | None) -> None:
    """Whether a page may be served there.

    Args:
        host: A name or an address.
        port: 0: a free one.
        token: What its visitors have to know; None: nothing.

    Raises:
        ConfigError: It may not, or an argument is not accepted.
    """
    _checked("serve", (host, port), "serve")
    _checked("serve_token", token, "token")
    if token is None and not is_loopback(host):
        msg = (
            f"serve={host!r}: an address other machines reach needs a token: "
            "serve_token (HTTPGUARD_SERVE_TOKEN), or the argument token of serve()"
        )
        raise ConfigError(msg)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. No name but one is trusted.

    Args:
        host: A name or an address.
    """
    import ipaddress

    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _address(value: Any) -> tuple[str, int] | None:
    """A port, ``HOST:PORT``, or the two of them."""
    if value is None or str(value).strip().lower() in {"", "none"}:
        return None
    host, port = "127.0.0.1", value
    if isinstance(value, tuple):
        host, port = value
    elif isinstance(value, str) and ":" in value:
        host, _, port = value.rpartition(":")
    host = str(host).strip().strip("[]")
    number = _whole(0)(port)
    if number > _LAST_PORT or not host or not re.fullmatch(r"[\w.:%-]+", host):
        raise ValueError
    return host, number


def _token(value: Any) -> str | None:
    """A secret fit for a header and a link."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{16,512}", value.strip()):
        raise ValueError
    return value.strip()


_LAST_PORT: Final = 65535
_SECRET: Final = frozenset({"serve_token"})


def _path(value: Any) -> str | None:
    """The path of a file, or none."""
    if value is None:
        return None
    path = os.fspath(value)
    if not isinstance(path, str) or "\0" in path:
        raise TypeError
    return path or None


_SWITCH: Final = "a bool, or one of 1/true/yes/on and 0/false/no/off"
_PATTERNS: Final = "a sequence of texts, or one text separated by commas"

# One row a setting: how its value is read, and what an error says is accepted.
_CHECKS: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "strict": (_boolean, _SWITCH),
    "max_leaks": (_whole(0), "a whole number, 0 or more"),
    "max_open": (_limit, "a whole number, 1 or more, or none for no limit"),
    "max_idle": (_number(0.0), "a number of seconds, 0 or more"),
    "check_interval": (
        _number(0.0),
        "a number of seconds, 0 or more (0: no watcher thread)",
    ),
    "stack_depth": (_whole(1), "a whole number, 1 or more"),
    "sample": (_number(0.0, 1.0), "a number from 0 to 1"),
    "app": (_words, _PATTERNS),
    "ignore": (_words, _PATTERNS),
    "max_wait": (_wait, "a number of seconds, 0 or more, or none for no report"),
    "max_sessions": (
        _limit,
        "a whole number, 1 or more, or none for sessions not to be judged",
    ),
    "reclaim": (_boolean, _SWITCH),
    "on_held": (_choice("report", "close"), "report or close"),
    "log": (_path, "the path of a file, as text or os.PathLike"),
    "log_max_bytes": (
        _whole(0),
        "a whole number of bytes, 0 or more (0: the file is never rotated)",
    ),
    "log_keep": (_whole(1), "a whole number, 1 or more"),
    "explain": (_number(0.0), "a number of seconds, 0 or more (0: no search)"),
    "follow_executors": (_boolean, _SWITCH),
    "enabled": (_boolean, _SWITCH),
    "serve": (_address, "a port from 0 to 65535, or HOST:PORT"),
    "serve_token": (_token, "16 to 512 printable ASCII characters without spaces"),
}
