"""The options of `httpguard run`, and the quick way to read them.

To import what prints help and errors of use takes longer than many a program. Where
there is nothing to print, these few options are read without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .target import starts_target

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS: Final = {
    "--strict": "strict",
    "--fail": "fail",
    "--no-fail": "fail",
    "--verbose": "verbose",
    "--quiet": "quiet",
    "--json": "as_json",
    "--exec": "become",
}
_VALUES: Final = {
    name: name.strip("-").replace("-", "_")
    for name in ("--log", "--baseline", "--max-idle", "--max-open", "--app", "--ignore")
}
_NO: Final = "--no-"
_REPEATED: Final = ("app", "ignore")


class Options(NamedTuple):
    """What the command line says beside the program.

    Args:
        fail: None, and so `baseline`: what the project says.
        as_json: Tell what leaked as one line of JSON.
        become: Be the program instead of waiting for its end.
    """

    strict: bool = False
    log: str | None = None
    fail: bool | None = None
    baseline: str | None = None
    verbose: bool = False
    quiet: bool = False
    as_json: bool = False
    become: bool = False
    max_idle: str | None = None
    max_open: str | None = None
    app: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        found = {
            "strict": "1" if self.strict else None,
            "log": self.log,
            "max_idle": self.max_idle,
            "max_open": self.max_open,
            "app": ",".join(self.app) if self.app else None,
            "ignore": ",".join(self.ignore) if self.ignore else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own words, and the program, which may be missing."""
    own = 0
    while own < len(words) and words[own] != "--" and not starts_target(words[own]):
        own += 2 if words[own] in _VALUES else 1
    rest = list(words[own:])
    return list(words[:own]), rest[1:] if rest[:1] == ["--"] else rest


def read_quickly(words: Sequence[str]) -> tuple[list[str], Options] | None:
    """The program and the options before it, where they are spelled out.

    None where there is anything else: a call for help, ``--log=FILE``, an error.
    """
    own, program = split(words)
    found: dict[str, Any] = {}
    given = iter(own)
    for word in given:
        if word in _FLAGS:
            found[_FLAGS[word]] = not word.startswith(_NO)
            continue
        value = next(given, None)
        if word not in _VALUES or value is None:
            return None
        name = _VALUES[word]
        found[name] = (*found.get(name, ()), value) if name in _REPEATED else value
    return (program, Options(**found)) if program else None
