"""Places: what a baseline knows a leak by, wherever and whenever it leaks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .._model.leak import Frame, Leak
from .._model.redaction import MOST_SOURCE
from .._stacks.capture import source_line

_SITE_TEXT: Final = re.compile(
    r"(?P<file>.+):(?P<line>\d+) in (?P<function>.+)", re.DOTALL
)
# Wherever an environment lies, its packages have these names.
_INSTALLED: Final = re.compile(r".*/((?:site|dist)-packages/.+)")
_LIBRARY: Final = re.compile(r".*/lib/python3\.\d+/(.+)")
ANYWHERE: Final = ("<", "site-packages/", "dist-packages/", "python/")


@dataclass(frozen=True, slots=True)
class Place:
    """What a baseline knows a leak by.

    Args:
        kind: The word for how it leaked.
        filename: As Python names it: absolute, or relative to the working
            directory.
        function: The function's name.
        source: The text of the line, stripped; empty: not known.
    """

    kind: str
    filename: str
    function: str
    source: str


def place_of(leak: object) -> Place:
    """What a baseline knows a leak by.

    Args:
        leak: A `Place`, a `Leak`, or a leak as JSON: ``site`` is an object or the
            text ``file:line in function``; ``source``, in the leak or in its
            site, is the text of the line, which is else read from the file.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(leak, Place):
        return leak
    if isinstance(leak, Leak):
        return _place(str(leak.kind), leak.site, None)
    if isinstance(leak, Mapping):
        site = leak.get("site")
        parts = site if isinstance(site, Mapping) else _split_site(site)
        source = leak.get("source", parts.get("source"))
        frame = Frame(
            str(parts["filename"]), int(parts["lineno"]), str(parts["function"])
        )
        return _place(
            str(leak.get("kind")), frame, source if isinstance(source, str) else None
        )
    raise ValueError(f"{leak!r} is no leak")


def _split_site(site: object) -> Mapping[str, Any]:
    match = _SITE_TEXT.fullmatch(site) if isinstance(site, str) else None
    if match is None:
        raise ValueError(f"{site!r} is no site: file:line in function")
    return {
        "filename": match["file"],
        "lineno": match["line"],
        "function": match["function"],
    }


def _place(kind: str, site: Frame, source: str | None) -> Place:
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
    """Whether two texts are those of one line, as far as they are known.

    Args:
        one: Stripped and perhaps cut; empty: not known.
        other: Likewise. Reports put a mark in place of the last character they keep.
    """
    kept = MOST_SOURCE - 1
    return not (one and other) or one[:kept] == other[:kept]


def ends_alike(path: str, file: str) -> bool:
    """Whether a path elsewhere ends with an entry's."""
    while file.startswith("../"):
        file = file[len("../") :]
    return path.endswith(f"/{file.lstrip('/')}")
