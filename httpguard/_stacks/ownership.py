"""Whose code a file is: the application's, a library's, or the HTTP client's."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from .._model.errors import OWN_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from .._model.leak import Frame

# As it was before anybody watched it: blockbuster, which tests of asyncio use, raises
# where this is called from a loop.
GETCWD: Final = os.getcwd
_space_of: Final[Callable[[Any], dict[str, Any]]] = vars(ModuleType)["__dict__"].__get__
_SITE_DIRECTORIES: Final = ("site-packages", "dist-packages")
_SYSTEM_PREFIXES: Final = ("/usr", "/usr/local")
# Names in angle brackets that are generated code, not something a person
# typed; all others (<stdin>, <ipython-input-…>, <doctest …>) are.
_GENERATED: Final = (
    *("<frozen ", "<@beartype(", "<boltons.", "<decorator-gen", "<makefun-gen"),
    "<__array_",
)
# attrs, cattrs, adaptix and sympy say it in so many words.
_SAYS_SO: Final = "generated"
# What `exec` makes without a name: the methods of dataclasses and named tuples.
_NAMELESS: Final = "<string>"
# Programs that make code as they run have file names without end.
_MOST_FILES: Final = 4096


def space_of(module: Any) -> dict[str, Any]:
    """The namespace of a module, without running a line of it: some load when asked."""
    return (issubclass(type(module), ModuleType) and _space_of(module)) or {}


class Origins(dict[str, bool]):
    """File name -> whether it is the application's own code.

    A dict, so that the hot path pays one look-up a frame (about 30 ns) and the thinking
    is done once a file, by `__missing__`. `app` are module prefixes that are the
    application's although installed, `clients` the packages of HTTP clients, whose
    frames stand between the application and the response.
    """

    def __init__(
        self, app: tuple[str, ...] = (), clients: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        # Files that count only where nothing else does: of ``python -m locust``.
        self.runner: set[str] = set()
        # By the id of its code and the offset in that: see `frame_at`.
        self.frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
        self.app = app
        self.clients = clients
        # File name -> the package of an HTTP client that it belongs to, or None.
        self.packages = Packages(clients)

    def __missing__(self, filename: str) -> bool:
        """Judge a file seen for the first time."""
        known = is_application(filename, self.app, self.clients)
        if len(self) >= _MOST_FILES:
            self.clear()
            self.runner.clear()
            self.frames.clear()
            self.packages.clear()
        if known and is_of_runner(filename, self.app):
            self.runner.add(filename)
        self[filename] = known
        return known


class Packages(dict[str, "str | None"]):
    """File name -> the package of an HTTP client that it belongs to, or None.

    Only where it has one: a test may take the package out of `sys.modules` for a time.
    """

    def __init__(self, clients: tuple[str, ...]) -> None:
        super().__init__()
        self._clients = clients

    def __missing__(self, filename: str) -> str | None:
        if len(self) >= _MOST_FILES:
            self.clear()
        known = http_package(filename, self._clients)
        if known is not None:
            self[filename] = known
        return known


def is_application(
    filename: str, app: tuple[str, ...], clients: tuple[str, ...] = ()
) -> bool:
    """Whether a file is the application's own code.

    False for httpguard, the HTTP libraries, the standard library, what lies in
    site-packages or was installed elsewhere, console scripts and generated code.
    Modules of the prefixes count although they are installed, and so does the top-level
    package of ``__main__`` (see `is_of_runner`).
    """
    if filename == _NAMELESS:
        return _is_typed_in()
    if filename.startswith("<"):
        return not filename.startswith(_GENERATED) and _SAYS_SO not in filename
    path = _absolute(filename)
    if path.startswith(OWN_DIRECTORY) or http_package(path, clients) is not None:
        return False
    installed = _installed_module(path)
    if installed is not None:
        return _has_prefix(installed, (*app, *_main_package()))
    # Windows: sysconfig and the import system may differ in the case of a letter.
    return not os.path.normcase(path).startswith(_library_directories())


def is_of_runner(filename: str, app: tuple[str, ...]) -> bool:
    """Whether a file of the application is so for no other reason than `__main__`.

    What was installed and is run by ``python -m`` may be the application itself, or
    what runs one: where a file of neither sort is on a stack, that is the application.
    """
    if filename.startswith("<"):
        return False
    installed = _installed_module(_absolute(filename))
    return installed is not None and not _has_prefix(installed, app)


def http_package(filename: str, clients: tuple[str, ...]) -> str | None:
    """Which of some imported packages a file belongs to, or None."""
    for name in clients:
        file = space_of(sys.modules.get(name)).get("__file__")
        if file and filename.startswith(_extent(file)):
            return name
    return None


def is_own(filename: str) -> bool:
    return filename.startswith(OWN_DIRECTORY)


@lru_cache(maxsize=_MOST_FILES)
def installed_package(filename: str) -> str:
    """The top-level package of a file in site-packages; empty: it lies elsewhere."""
    if filename.startswith("<"):
        return ""
    return (_installed_module(filename) or "").partition(".")[0]


def module_of(filename: str) -> str:
    """The dotted module name of a file, as well as it can be told.

    The name under which it is imported now, else the dotted path below site-packages,
    else the file's stem.
    """
    if filename.startswith("<"):
        return "__main__"
    for name, module in list(sys.modules.items()):
        if space_of(module).get("__file__") == filename:
            return name
    path = _absolute(filename)
    return _installed_module(path) or _stem(os.path.basename(path))


def module_matches(name: str, pattern: str) -> bool:
    """Whether a module is, or lies below, what a pattern with wildcards names."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _absolute(filename: str) -> str:
    """As `os.path.abspath`, which some watch."""
    if not os.path.isabs(filename):
        with suppress(OSError):  # It was removed under us.
            filename = os.path.join(GETCWD(), filename)
    return os.path.normpath(filename)


def _installed_module(path: str) -> str | None:
    """The dotted name of what an installer has put somewhere, None of other files."""
    parts = path.replace("\\", "/").split("/")
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] in _SITE_DIRECTORIES:
            return _stem(".".join(parts[index + 1 :]))
    # ``pip install --target``: libraries beside the program's own files.
    for root in map(str, sys.path):
        place = os.path.join(_absolute(root), "")
        if path.startswith(place):
            below = path[len(place) :].replace("\\", "/")
            if below.partition("/")[0] in _installed_in(place):
                return _stem(below.replace("/", "."))
    return None


@lru_cache(maxsize=64)
def _installed_in(place: str) -> frozenset[str]:
    """The top-level names that an installer has put into a directory, or a zip file."""
    names = set()
    with suppress(Exception):
        if os.path.isdir(place) and not any(
            name.endswith(".dist-info") for name in os.listdir(place)
        ):
            return frozenset()
        from importlib.metadata import distributions

        for one in distributions(path=[place.removesuffix(os.sep)]):
            for line in (one.read_text("RECORD") or "").splitlines():
                names.add(line.partition("/")[0].partition(",")[0])
    return frozenset(names)


def _stem(name: str) -> str:
    """A dotted path without ``.py`` and ``.__init__``."""
    return name.removesuffix(".py").removesuffix(".__init__")


def _has_prefix(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _main_package() -> tuple[str, ...]:
    """The top-level package of ``python -m package.module``, if it runs so."""
    main = sys.modules.get("__main__")
    name = getattr(main, "__package__", None)
    return (name.partition(".")[0],) if isinstance(name, str) and name else ()


def _is_typed_in() -> bool:
    """Whether the program is the argument of ``python -c``."""
    main = sys.modules.get("__main__")
    return getattr(main, "__file__", None) is None and "-c" in sys.orig_argv


def _extent(file: str) -> str:
    """What the names of a package's files begin with; of a module, its own."""
    is_package = os.path.basename(file).startswith("__init__.")
    return _directory(file) if is_package else file


@lru_cache(maxsize=64)
def _directory(file: str) -> str:
    return os.path.join(os.path.dirname(file), "")


@lru_cache(maxsize=1)
def _library_directories() -> tuple[str, ...]:
    """The standard library's directories, and the one of console scripts.

    sysconfig is imported here, at the first response, and not with httpguard:
    it costs about 2 ms.
    """
    paths = [os.path.dirname(os.__file__)]
    # A frozen program may lack the data that sysconfig reads.
    with suppress(Exception):
        import sysconfig

        paths += [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    # A zipped standard library (python311.zip) lies beside the directory.
    known = map(str, sys.path)
    paths += [path for path in known if path.endswith(".zip") and "python" in path]
    # An environment's script directory holds entry points only; the system's
    # (/usr/bin) holds people's programs too.
    with suppress(Exception):
        if sys.prefix not in _SYSTEM_PREFIXES:
            paths.append(sysconfig.get_path("scripts"))
    both = {*paths, *(os.path.realpath(path) for path in paths)}
    return tuple(sorted(os.path.normcase(os.path.join(path, "")) for path in both))


def preload_origins() -> None:
    """Find out now what is otherwise found out at the first response."""
    _library_directories()
