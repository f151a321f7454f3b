"""What a stack tells: frames, site, whether to trust it, the library that lost it."""

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import OWN_DIRECTORY, hand_back
from .._model.leak import Frame
from .ownership import installed_package, space_of
from .raw import BRIEF, CUT
from .submission import MARK
from .tasks import AWAITED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from types import CodeType

    from .ownership import Origins
    from .raw import Place, RawStack

# Programs that make files as they run can have sources without end, and `linecache`
# keeps each for good.
_MOST_SOURCES: Final = 2000
# What decorators call their functions: no names that say anything.
_DECORATORS: Final = frozenset({"inner", "wrapped", "wrapper"})
# The one library of Python's own that keeps connections of http.client.
_XMLRPC: Final = os.path.join("xmlrpc", "client.py")
# Installed packages that only call what the application has called.
_BETWEEN: Final = frozenset(
    {
        *("backoff", "beartype", "ddtrace", "decorator", "deprecated", "newrelic"),
        *("opentelemetry", "pydantic", "retry", "retrying", "sentry_sdk", "stamina"),
        *("tenacity", "typeguard", "wrapt"),
    }
)
# Those that run it somewhere else: what the application called is not what they return.
_RUNNERS: Final = frozenset(
    {
        *("aiojobs", "anyio", "apscheduler", "asgiref", "asyncer", "eventlet"),
        *("gevent", "joblib", "schedule", "starlette", "tqdm", "trio"),
    }
)
# Where blocks are entered: by exit stacks, and of generators.
_BLOCKS: Final = f"{os.sep}contextlib.py"
ENTERING: Final = frozenset({"__enter__", "__aenter__"})
# Those of Python's own.
_THREADS: Final = (
    f"{os.sep}threading.py",
    os.path.join("multiprocessing", "pool.py"),
)
# Generated code can open responses at places without end.
_MOST_PLACES: Final = 4096
# So often a place has to end well; and one that never counts as such.
_ENOUGH: Final = 16
_NEVER: Final = -(1 << 60)
# Items of a stack that cannot be briefer.
_SHORT: Final = 2 * BRIEF
NOWHERE: Final = Frame("<unknown>", 0, "<unknown>")
"""The site of a response whose stack was not kept."""


def find_site(stack: RawStack, origins: Origins) -> Frame:
    """The frame that a person would fix.

    The innermost frame of the application's own code; failing that, the innermost
    outside the HTTP libraries and httpguard.
    """
    return frame_at(place_of(stack, origins), origins)


def place_of(stack: RawStack, origins: Origins) -> Place:
    """As `find_site`, without looking at any source: code object and offset."""
    of_runner: Place = ()
    for code, offset in pairs(stack):
        if origins[code.co_filename]:
            if code.co_filename not in origins.runner:
                return code, offset
            of_runner = of_runner or (code, offset)
    if of_runner:
        return of_runner
    for code, offset in pairs(stack):
        filename = code.co_filename
        # Of generated code there is nothing to see.
        if not (
            filename.startswith(("<", OWN_DIRECTORY)) or origins.packages[filename]
        ):
            return code, offset
    return ()


def frame_at(place: Place, origins: Origins) -> Frame:
    """The frame of a place: of equal ones the same, since leaks are counted by it."""
    if not place:
        return NOWHERE
    code, offset = place
    # Code by its id: its hash is made of all that it consists of, each time.
    key = id(code), offset
    known = origins.frames.get(key)
    if known is None:
        frame = frame_of(code, offset, application=origins[code.co_filename])
        if len(origins.frames) >= _MOST_PLACES:
            origins.frames.clear()
        # With the code, so that no other one gets its id.
        known = origins.frames[key] = code, frame
    return known[1]


def symbolize(stack: RawStack, origins: Origins) -> tuple[Frame, ...]:
    """Frames with their lines, as in a traceback, httpguard's own left out."""
    frames: list[Frame] = []
    submitted = waits = False
    own = _own(stack, origins)
    for code, offset in pairs(stack):
        if code is CUT and offset == 0:
            frames[-1:] = [replace(frame, cut=True) for frame in frames[-1:]]
        elif code is MARK:
            # In a worker it is a frame too; only the last one is the mark.
            submitted = offset == 0
        elif code is AWAITED:
            waits = offset == 0
        elif not code.co_filename.startswith(OWN_DIRECTORY):
            frame = frame_of(code, offset, application=code.co_filename in own)
            if (submitted or waits) and frame.application:
                frame = replace(frame, submitted=submitted, awaited=waits)
                submitted = waits = False
            frames.append(frame)
    return tuple(reversed(frames))


def _own(stack: RawStack, origins: Origins) -> Collection[str]:
    """The application's files of a stack: the runner's too, where it has no others."""
    known = [one for one in filenames(stack) if origins[one]]
    if not origins.runner:
        return known
    return [one for one in known if one not in origins.runner] or known


def filenames(stack: RawStack) -> Iterable[str]:
    """The files a stack passes through, each once, innermost first."""
    return dict.fromkeys(code.co_filename for code, _ in pairs(stack))


def find_library(
    stack: RawStack, site: Frame, origins: Origins
) -> tuple[str, str, str]:
    """The installed package, or xmlrpc, that a site has called; the function of it.

    Both empty where it has called the HTTP library itself. Then a package whose class
    derives from one of the library's may come between: the third.
    """
    below: CodeType | None = None
    between = ""
    entered = ""
    for code, offset in pairs(stack):
        if code.co_filename.startswith(OWN_DIRECTORY) or code is MARK or code is CUT:
            continue
        if (
            code.co_name == site.function
            and code.co_filename == site.filename
            and _line(code, offset) == site.lineno
            and origins[code.co_filename]
        ):
            break
        if code.co_filename.endswith(_BLOCKS):
            if below is not None and code.co_name in ENTERING:
                entered = code.co_name
        elif not _only_calls(code, below):
            below, entered = code, ""
            if not origins.packages[code.co_filename]:
                between = installed_package(code.co_filename)
    else:
        below = None
    if below is None or origins.packages[below.co_filename]:
        return "", "", "" if below is None else between
    package = installed_package(below.co_filename)
    if below.co_filename.endswith(_XMLRPC):
        package = "xmlrpc"
    return (package, entered or below.co_name, "") if package else ("", "", "")


def _only_calls(code: CodeType, below: CodeType | None) -> bool:
    """Whether it is not it that is to be named, but what it has called."""
    if code.co_filename.startswith("<"):
        return True  # Generated: a dataclass's, or what a decorator has made.
    package = installed_package(code.co_filename)
    if below is None:
        return package in _RUNNERS
    if code.co_filename.endswith(_XMLRPC):
        # A transport of a library's own.
        return bool(installed_package(below.co_filename))
    if code.co_name.lstrip("_") in _DECORATORS:
        return True
    return package in _BETWEEN or package in _RUNNERS


def runs_others(filename: str) -> bool:
    """Whether the code of a file runs what it is given, in a thread or a loop."""
    return filename.endswith(_THREADS) or installed_package(filename) in _RUNNERS


def source_line(frame: Frame) -> str:
    """The text of a frame's line, stripped; empty where there is no source.

    Zipapps and notebooks are read through their loaders.
    """
    known, line = frame.filename in linecache.cache, ""
    try:
        line = linecache.getline(frame.filename, frame.lineno)
        if not known and len(linecache.cache) > _MOST_SOURCES:
            linecache.cache.pop(frame.filename, None)
        if not line and not frame.filename.startswith("<"):
            for module in list(sys.modules.values()):
                space = space_of(module)
                if space.get("__file__") == frame.filename:
                    line = linecache.getline(frame.filename, frame.lineno, space)
                    break
    except Exception as error:  # A loader's, or of what is no name of a file.
        hand_back(error)
    return line.strip()


def pairs(stack: RawStack) -> Iterable[tuple[CodeType, int]]:
    """The flat tuple, two by two."""
    items: Iterator[Any] = iter(stack)
    return zip(items, items, strict=True)


@lru_cache(maxsize=4096)
def _line(code: CodeType, offset: int) -> int:
    """The line of an instruction; a snapshot asks for the same ones again."""
    for start, end, line in code.co_lines():
        if line is not None and start <= offset < end:
            return line
    return code.co_firstlineno


def frame_of(code: CodeType, offset: int, *, application: bool) -> Frame:
    """A frame with its line and, as in a traceback, its bare function name."""
    return Frame(code.co_filename, _line(code, offset), code.co_name, application)


def number_of(place: Place) -> int:
    """A place as a number that `capture_brief` has at hand."""
    code, offset = place or (CUT, 0)
    # From CPython 3.11 on the code of a function lies in its code object, so that no
    # two places have the same number.
    return id(code) + offset


class Proven(set[int]):
    """The places of sites whose responses have always ended well.

    No lock: what two threads write at once counts once. The address of a code object
    that is gone may come again, and with it what was known of that one. Where a whole
    stack has fewer application frames than one in brief, no site is proven.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._learns = depth >= BRIEF
        # Place -> how often its responses ended well.
        self._counts: dict[int, int] = {}

    def learn(self, stack: RawStack, origins: Origins, *, in_task: bool) -> None:
        """A response ended well. A task's is in brief once it ends with the site."""
        if not self._learns or (len(stack) <= _SHORT and not in_task):
            return
        place = number_of(place_of(stack, origins))
        if place in self:
            return  # It lies too deep in libraries.
        if len(self._counts) >= _MOST_PLACES:
            self._make_room()
        self._counts[place] = count = self._counts.get(place, 0) + 1
        if count >= _ENOUGH:
            self.add(place)

    def distrust(self, place: Place) -> None:
        """A response leaked: from now on the whole stack of each is kept."""
        if not self._learns:
            return
        number = number_of(place)
        self._counts[number] = _NEVER
        self.discard(number)
        if len(self._counts) >= _MOST_PLACES:
            self._make_room()

    def _make_room(self) -> None:
        """Forget whom to trust, but nobody whom not to; at worst, trust no more."""
        self.clear()
        counts = list(self._counts.items())
        self._counts = {place: count for place, count in counts if count < 0}
        if len(self._counts) >= _MOST_PLACES:
            self._learns = False
            self._counts = {}
