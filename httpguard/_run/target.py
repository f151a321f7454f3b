"""What is to be run: a script, a module, a piece of code or any command."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from .._model.errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUFFIXES: Final = (".py", ".pyw", ".pyz")
_NEEDS: Final = {"-m": "a module", "-c": "a piece of code"}


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

    A script, module or code is run by the interpreter that runs this; a command as a
    shell would find it, by the PATH of the environment.
    """
    first = words[0]
    if first in _NEEDS and len(words) == 1:
        raise TargetError(f"{first} needs {_NEEDS[first]} to run")
    if first == "-" or first[:2] in _NEEDS or _is_script(first):
        return Target(sys.executable, (sys.executable, *words))
    command = shutil.which(first, path=environment.get("PATH"))
    if command is not None:
        return Target(command, tuple(words))
    if os.path.isfile(first):
        return Target(sys.executable, (sys.executable, *words))
    if os.path.isdir(first):
        raise TargetError(f"{first!r} is a directory without a __main__.py")
    kind = "file" if first.endswith(_SUFFIXES) else "command on PATH and no file"
    raise TargetError(
        f"{first!r} is no {kind}; accepted: script.py, -m module, -c code or a command"
    )


def _is_script(word: str) -> bool:
    """Whether Python rather than the operating system is to run a file."""
    if os.path.isdir(word):
        return os.path.isfile(os.path.join(word, "__main__.py"))
    return word.endswith(_SUFFIXES) and os.path.isfile(word)
