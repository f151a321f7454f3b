"""What is to be run: a script, a module, a piece of code or any command."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._model.errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUFFIXES: Final = (".py", ".pyw", ".pyz")
_NEEDS: Final = {"-m": "a module", "-c": "a piece of code"}


class TargetError(HTTPGuardError):
    """There is nothing to run under that name."""


@dataclass(frozen=True, slots=True)
class Target:
    """A program as the operating system starts it.

    Args:
        path: The executable.
        arguments: What it is started with, its own name first.
    """

    path: str
    arguments: tuple[str, ...]


def starts_target(word: str) -> bool:
    """Whether a word of the command line begins what is to be run.

    Args:
        word: Everything from it on is the program's.
    """
    return not word.startswith("-") or word == "-" or word[:2] in _NEEDS


def find_target(words: Sequence[str], environment: Mapping[str, str]) -> Target:
    """What a user means by the words after the options.

    Args:
        words: ``script.py …``, ``-m module …``, ``-c code …``, ``-`` or a command.
        environment: Its PATH is searched for a command.

    Returns:
        A script, module or code with the interpreter that runs this; a command
        as a shell would find it.

    Raises:
        TargetError: There is no such file or command.
    """
    first = words[0]
    if first in _NEEDS and len(words) == 1:
        raise TargetError(f"{first} needs {_NEEDS[first]} to run")
    if first == "-" or first[:2] in _NEEDS or _is_script(first):
        return _python(words)
    command = shutil.which(first, path=environment.get("PATH"))
    if command is not None:
        return Target(command, tuple(words))
    if os.path.isfile(first):
        return _python(words)
    if os.path.isdir(first):
        raise TargetError(f"{first!r} is a directory without a __main__.py")
    kind = "file" if first.endswith(_SUFFIXES) else "command on PATH and no file"
    raise TargetError(
        f"{first!r} is no {kind}; accepted: script.py, -m module, -c code or a command"
    )


def _python(words: Sequence[str]) -> Target:
    return Target(sys.executable, (sys.executable, *words))


def _is_script(word: str) -> bool:
    """Whether Python rather than the operating system is to run a file."""
    if os.path.isdir(word):
        return os.path.isfile(os.path.join(word, "__main__.py"))
    return word.endswith(_SUFFIXES) and os.path.isfile(word)
