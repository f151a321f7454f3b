"""Places: what a baseline knows a leak by, wherever and whenever it leaks."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._model.redaction import MOST_SOURCE
from .._stacks.sites import source_line

if TYPE_CHECKING:
    from .._model.leak import Frame

# Wherever an environment lies, its packages have these names.
_INSTALLED: Final = re.compile(r".*/((?:site|dist)-packages/.+)")
_LIBRARY: Final = re.compile(r".*/lib/python3\.\d+/(.+)")
ANYWHERE: Final = ("<", "site-packages/", "dist-packages/", "python/")


@dataclass(frozen=True, slots=True)
class Place:
    """What a baseline knows a leak by.

    The file is as Python names it: absolute, or relative to the working directory. The
    text of the line is stripped; empty: not known.
    """

    kind: str
    filename: str
    function: str
    source: str


def place_of(leak: Any) -> Place:
    """Of a `Leak`, or a `Place` as it is."""
    return leak if isinstance(leak, Place) else place_at(str(leak.kind), leak.site)


def place_at(kind: str, site: Frame, source: str | None = None) -> Place:
    """A place, its source read from the file where the leak does not carry it."""
    text = source_line(site) if source is None else source.strip()
    return Place(kind, site.filename, site.function, text[:MOST_SOURCE])


def portable_name(filename: str, root: str) -> str:
    """The name of a file that is the same on every machine, if there is one."""
    if filename.startswith("<"):
        return filename
    path = os.path.abspath(filename)
    posix = path.replace(os.sep, "/")
    for pattern, prefix in ((_INSTALLED, ""), (_LIBRARY, "python/")):
        match = pattern.fullmatch(posix)
        if match is not None:
            return prefix + match[1]
    for base in (root, os.path.realpath(root)):
        for candidate in (path, os.path.realpath(path)):
            if _is_below(candidate, base):
                return _relative(candidate, base)
    # A baseline in a directory of its own, ``ci/`` beside ``src/``.
    here = os.getcwd()
    if _is_below(root, here) and _is_below(path, here):
        return _relative(path, root)
    return posix


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(os.path.join(directory, ""))


def _relative(path: str, directory: str) -> str:
    return os.path.relpath(path, directory).replace(os.sep, "/")


def is_same_source(one: str, other: str) -> bool:
    """Whether two texts are those of one line, stripped and as far as they are known.

    Reports put a mark in place of the last character they keep.
    """
    kept = MOST_SOURCE - 1
    return not (one and other) or one[:kept] == other[:kept]


def ends_alike(path: str, file: str) -> bool:
    """Whether a path elsewhere ends with an entry's."""
    while file.startswith("../"):
        file = file[len("../") :]
    return path.endswith(f"/{file.lstrip('/')}")
