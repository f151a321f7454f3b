"""What is to be run: a script, a module, a piece of code or any command."""

from __future__ import annotations

import getopt
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from .._model.errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUFFIXES: Final = (".py", ".pyw", ".pyz")
_NEEDS: Final = {"-m": "a module", "-c": "a piece of code"}
# The options of an interpreter, and those that are for what it runs: with -E, -I and -S
# httpguard would not be found there.
_OPTIONS: Final = "?bBc:dEhiIJm:OPqRsStuvVW:xX:"
_LONG: Final = ["check-hash-based-pycs="]
_PASSED_ON: Final = {f"-{letter}" for letter in "bBdOPqRsuvWX"} | {f"--{_LONG[0][:-1]}"}


class TargetError(HTTPGuardError):
    """There is nothing to run under that name."""


class Target(NamedTuple):
    """A program as the operating system starts it, its name the first argument."""

    path: str
    arguments: tuple[str, ...]


def starts_target(word: str) -> bool:
    """Whether a word of the command line begins what is to be run."""
    return not word.startswith("-") or word == "-" or word[:2] in _NEEDS


def find_target(words: Sequence[str], environment: Mapping[str, str]) -> Target:
    """What a user means by the words after the options.

    A script, module or code is run by the interpreter that runs this, and with its
    options (``python -O -X dev -m httpguard run app.py``); a command as a shell would
    find it, by the PATH of the environment.
    """
    first = words[0]
    if first in _NEEDS and len(words) == 1:
        raise TargetError(f"{first} needs {_NEEDS[first]} to run")
    if first == "-" or first[:2] in _NEEDS or _is_script(first):
        return _run_by_python(words)
    command = shutil.which(first, path=environment.get("PATH"))
    if command is not None:
        return Target(command, tuple(words))
    if os.path.isfile(first):
        return _run_by_python(words)
    if os.path.isdir(first):
        raise TargetError(f"{first!r} is a directory without a __main__.py")
    kind = "file" if first.endswith(_SUFFIXES) else "command on PATH and no file"
    raise TargetError(
        f"{first!r} is no {kind}; accepted: script.py, -m module, -c code or a command"
    )


def _run_by_python(words: Sequence[str]) -> Target:
    return Target(sys.executable, (sys.executable, *_own_options(), *words))


def _own_options() -> list[str]:
    rest = sys.argv[1:]
    given = sys.orig_argv[1 : len(sys.orig_argv) - len(rest)]
    if sys.orig_argv[1:] != given + rest:
        return []
    try:
        options, _ = getopt.getopt(given, _OPTIONS, _LONG)
    except getopt.GetoptError:  # Of a later Python.
        return []
    kept = [option for option in options if option[0] in _PASSED_ON]
    return [word for option in kept for word in option if word]


def _is_script(word: str) -> bool:
    """Whether Python rather than the operating system is to run a file."""
    if os.path.isdir(word):
        return os.path.isfile(os.path.join(word, "__main__.py"))
    return word.endswith(_SUFFIXES) and os.path.isfile(word)
