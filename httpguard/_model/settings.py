"""The settings, each declared once.

From a field of `Settings` come its keyword argument of `install` and that one's
docstring, its variable ``HTTPGUARD_<NAME>``, its option of ``httpguard run`` and its
row of docs/settings.md's table: ``python -m tests.api.settings_texts`` writes what is
text, and a test says where that was forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import checks
from .errors import ConfigError
from .words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "HTTPGUARD_"
_KEY: Final = "setting"


class Setting(NamedTuple):
    """What there is to say of a setting beside its name and default.

    Args:
        check: How its value is read.
        text: What it does.
        shown: The default as people read it, where Python's way is not theirs.
        secret: Whether its value is left out of errors and of `repr`.
    """

    check: checks.Check
    text: str
    shown: str = ""
    secret: bool = False


def _setting(default: object, check: checks.Check, text: str, **more: Any) -> Any:
    setting = Setting(check, text, **more)
    return field(default=default, repr=not setting.secret, metadata={_KEY: setting})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the guard does, all of it.

    Every field is a keyword argument of `install` and an environment variable
    ``HTTPGUARD_<NAME>``; keyword arguments win. `install` says what each does.

    Raises:
        ConfigError: A value is not accepted.
    """

    strict: bool = _setting(
        False,
        checks.SWITCH,
        "Raise `LeakError` past the thresholds instead of only logging.",
    )
    max_leaks: int = _setting(
        0,
        checks.whole(0, 10**9),
        "Strict mode raises when more than this many leaks were found.",
    )
    max_open: int | None = _setting(
        None,
        checks.whole(1, 10**9, none="no limit"),
        "More responses than this open at once is reported; in strict mode the request"
        " that goes over it is closed and raises. None: no limit.",
    )
    max_idle: float = _setting(
        60.0,
        checks.seconds(),
        "Seconds an open response may make no progress before it is `held`.",
    )
    check_interval: float = _setting(
        5.0,
        checks.seconds(waits=True, note="0: no watcher thread"),
        "Seconds between sweeps of the watcher thread. 0: no thread, sweeps happen in"
        " `check()` and in guarded calls only.",
    )
    stack_depth: int = _setting(
        32,
        checks.whole(1, 10_000),
        "Application frames kept for each open response. Where 16 responses of a site"
        " have ended well and none has leaked, the six innermost frames, to save"
        " time; but all of them inside of `no_leaks`.",
    )
    sample: float = _setting(
        1.0,
        checks.SHARE,
        "Share of responses, 0 to 1, whose stack is kept and whose leaks are reported."
        " The counters stay exact.",
    )
    app: tuple[str, ...] = _setting(
        (),
        checks.PATTERNS,
        "Module prefixes that count as the application's own code although they are"
        " installed in site-packages.",
    )
    vendored: tuple[str, ...] = _setting(
        (),
        checks.PACKAGES,
        "Packages in which copies of urllib3 and requests lie, to be guarded too:"
        " `shop._vendor` of `shop._vendor.urllib3`. Those of pip and of snowflake are"
        " known.",
    )
    ignore: tuple[str, ...] = _setting(
        (),
        checks.PATTERNS,
        "Patterns of URLs (they contain a `/`: `http://127.0.0.1:*/health`, `*/events`)"
        " and of modules (`vendored.client`) that are never judged.",
    )
    max_wait: float | None = _setting(
        5.0,
        checks.seconds(none="no report"),
        "Seconds a request may wait for a connection of a blocking pool before that is"
        " reported, with who holds the connections. None: not reported.",
    )
    max_sessions: int | None = _setting(
        20,
        checks.whole(1, 10**9, none="sessions not to be judged"),
        "More sessions than this that one line has made and that are in use and not"
        " closed are leaks of the kind `session`; one to each live thread is none."
        " None: sessions are not judged.",
    )
    reclaim: bool = _setting(
        False,
        checks.SWITCH,
        "Give slots of blocking pools back that leaks take from then on, so that the"
        " program lives on.",
    )
    on_held: str = _setting(
        "report",
        checks.choice("report", "close"),
        "`report` a `held` response only, or `close` it after that; a later read of it"
        " raises the client's own error.",
    )
    log: str | None = _setting(
        None,
        checks.PATH,
        "A file to which every event is appended as a line of JSON, whatever the logs"
        " do; any number of processes may share it. None: no file.",
    )
    log_max_bytes: int = _setting(
        64 * 1024 * 1024,
        checks.whole(0, 10**15, note="bytes; 0: the file is never rotated"),
        "That file is rotated before it becomes larger. 0: never.",
        shown="64 MiB",
    )
    log_keep: int = _setting(
        3,
        checks.whole(1, 1000),
        "Rotated files that stay: `FILE.1` is the latest.",
    )
    explain: float = _setting(
        0.02,
        checks.seconds(note="0: no search"),
        "Seconds of processor time, for each site, that a sweep may search for what"
        " still refers to a `held` or `open` response. 0: it does not.",
    )
    follow_executors: bool = _setting(
        False,
        checks.SWITCH,
        "Patch thread pools too, so that the stack of what their workers open goes on"
        " to the line that submitted the work. gevent's greenlets need no patch.",
    )
    enabled: bool = _setting(
        True,
        checks.SWITCH,
        "False turns `install` into nothing (and, if httpguard is installed, uninstalls"
        " it). With `HTTPGUARD_ENABLED=0`, `no_leaks` checks nothing either.",
    )
    serve: tuple[str, int] | None = _setting(
        None,
        checks.ADDRESS,
        "Serve the live page at this port of 127.0.0.1 (0: a free one), or at this"
        " `HOST:PORT`. None: do not. `uninstall` closes it.",
    )
    serve_token: str | None = _setting(
        None,
        checks.TOKEN,
        "What whoever wants to see the page has to know, as `token` of `serve`. Needed"
        " for any but a loopback address.",
        secret=True,
    )

    def __post_init__(self) -> None:
        """Check every field, and bring text and lists to the field's type."""
        for name in TABLE:
            object.__setattr__(self, name, check(name, getattr(self, name), name))
        if self.serve is not None:
            check_address(*self.serve, self.serve_token)


TABLE: Final[dict[str, Setting]] = {
    each.name: each.metadata[_KEY] for each in fields(Settings)
}


def load_settings(
    arguments: Mapping[str, Any], environment: Mapping[str, str]
) -> Settings:
    """Settings from keyword arguments, else the environment, else defaults.

    An empty variable counts as unset. Where they say ``enabled=False`` nothing else is
    read. Raises `ConfigError` where a value is not accepted.
    """
    values = dict(arguments)
    for name in TABLE:
        text = environment.get(variable(name), "")
        if name not in values and text.strip():
            values[name] = _Variable(text)
    if not check("enabled", values.get("enabled", True), "enabled"):
        return Settings(enabled=False)
    return Settings(**values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return _PREFIX + name.upper()


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """What to say of each variable that looks like a setting and is none: a typo."""
    known = {variable(name) for name in TABLE}
    return [
        f"there is no setting {name}; did you mean {nearest(name, known)}?"
        for name in sorted(environment)
        if name.startswith(_PREFIX) and name not in known
    ]


class _Variable(str):
    """Text that came from an environment variable: errors then name that."""

    __slots__ = ()


def check(name: str, value: Any, shown: str) -> Any:
    """One setting's value in its type; an error calls it as `shown`: an option, say.

    Raises `ConfigError` where it is not accepted; that says what is.
    """
    setting = TABLE[name]
    where = variable(name) if isinstance(value, _Variable) else shown
    return setting.check.take(value, where, secret=setting.secret)


def check_address(host: str, port: int, token: str | None) -> None:
    """Whether a page may be served there, without a token too.

    Raises `ConfigError` where it may not, or an argument is not accepted.
    """
    check("serve", (host, port), "serve")
    check("serve_token", token, "token")
    if token is None and not checks.is_loopback(host):
        msg = (
            f"serve={host!r}: an address other machines reach needs a token: "
            "serve_token (HTTPGUARD_SERVE_TOKEN), or the argument token of serve()"
        )
        raise ConfigError(msg)
