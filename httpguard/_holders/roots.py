"""Where chains of references begin: running functions, and modules."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from .._model.redaction import printable
from .._stacks.ownership import is_own, space_of
from .._stacks.running import running_frames
from .._stacks.variables import variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._stacks.ownership import Origins

Spaces = dict[int, tuple[str, dict[str, Any], str]]
"""By the id of a namespace: the name of its module, itself, and its file."""


@dataclass(slots=True, eq=False)
class Root:
    """A place where chains begin, and what is there. Its text is made when it is asked.

    The place is a module, whose line is 0, or the code object that runs.
    """

    value: object
    name: str
    place: str | CodeType
    lineno: int = 0
    application: bool = True

    def __str__(self) -> str:
        """``app.cache (module global)``, or the local of a function."""
        name = printable(self.name)
        if isinstance(self.place, str):
            return f"{printable(self.place)}.{name} (module global)"
        file = printable(os.path.basename(self.place.co_filename))
        function = printable(self.place.co_name)
        return f"{name} (local of {function}() at {file}:{self.lineno})"


def module_spaces() -> Spaces:
    """Name, namespace and file of each module, without running a line of it."""
    spaces: Spaces = {}
    for name, module in list(sys.modules.items()):
        if space := space_of(module):
            filename = space.get("__file__")
            if type(filename) is not str:
                # Typed in, or built in.
                filename = "<stdin>" if name == "__main__" else ""
            # The first of two names: `__main__`, not multiprocessing's `__mp_main__`.
            spaces.setdefault(id(space), (name, space, filename))
    return spaces


def local_roots(spaces: Spaces, origins: Origins, *, greenlets: bool) -> Iterator[Root]:
    """The local variables of every frame that runs."""
    for frame in running_frames(greenlets=greenlets):
        code = frame.f_code
        if not is_own(code.co_filename):
            lineno = frame.f_lineno or 0
            application = origins[code.co_filename]
            for name, value in variables(frame):
                if gc.is_tracked(value) and id(value) not in spaces:
                    yield Root(
                        value, name, code, lineno=lineno, application=application
                    )


def global_roots(spaces: Spaces, origins: Origins) -> Iterator[Root]:
    # By the package, since to judge thousands of files would take too long.
    packages: dict[str, bool] = {}
    for name, space, filename in list(spaces.values()):
        if not filename:
            continue
        package = name if origins.app else name.partition(".")[0]
        if package not in packages:
            packages[package] = origins[filename]
        if packages[package]:
            for variable, value in list(space.items()):
                if gc.is_tracked(value) and type(value) is not ModuleType:
                    yield Root(value, str(variable), name)
