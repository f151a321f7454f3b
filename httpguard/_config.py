"""The settings: keyword arguments, environment variables, and their checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from ._errors import ConfigError

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
        stack_depth: Application frames kept for each lease.
        sample: Share of responses, 0 to 1, whose stack is kept and whose leaks
            are reported. The counters stay exact.
        app: Module prefixes that count as the application's own code although
            they are installed in site-packages.
        ignore: URL patterns (they contain a ``/``) or module patterns, with
            ``*`` and ``?`` as wildcards, that are never judged.
        explain: Seconds, for each site, that a sweep may search for what still
            refers to a response that is `held` or `open`. 0: it does not.
        follow_executors: Patch thread pools too, so that the stack of what their
            workers open goes on to the line that submitted the work.
        max_wait: Seconds a request may wait for a connection of a blocking pool
            before that is reported. None: not reported.
        max_sessions: More sessions than this that one line has made and that are
            in use and not closed are leaks. None: sessions are not judged.
        reclaim: Give slots of blocking pools that leaks have taken back.
        on_held: ``report`` a `held` response only, or ``close`` it after that.
        enabled: False turns `install` into nothing.

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
    explain: float = 0.02
    follow_executors: bool = False
    max_wait: float | None = 5.0
    max_sessions: int | None = 20
    reclaim: bool = False
    on_held: str = "report"
    enabled: bool = True

    def __post_init__(self) -> None:
        """Check every field, and bring text and lists to the field's type."""
        for field in fields(self):
            value = _checked(field.name, getattr(self, field.name), field.name)
            object.__setattr__(self, field.name, value)


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
    "explain": (_number(0.0), "a number of seconds, 0 or more (0: no search)"),
    "follow_executors": (_boolean, _SWITCH),
    "max_wait": (_wait, "a number of seconds, 0 or more, or none for no report"),
    "max_sessions": (
        _limit,
        "a whole number, 1 or more, or none for sessions not to be judged",
    ),
    "reclaim": (_boolean, _SWITCH),
    "on_held": (_choice("report", "close"), "report or close"),
    "enabled": (_boolean, _SWITCH),
}
