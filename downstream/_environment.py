"""An environment of its own for each suite, and httpguard as users install it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._command import must

if TYPE_CHECKING:
    from ._project import Project

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
# What httpguard itself needs, so that its wheel can be replaced without a look
# at the index.
_GUARD_NEEDS: Final = ("structlog>=23.1", "wrapt>=1.15")


def build_wheel(folder: Path) -> Path:
    """A wheel of this checkout's httpguard.

    Args:
        folder: Where it goes.

    Raises:
        DownstreamError: It cannot be built.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = ["-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder)]
    log = folder.parent / "wheel.log"
    must([sys.executable, *command, str(_REPOSITORY)], log, "building httpguard")
    return next(folder.glob("*.whl"))


def prepared(project: Project, source: Path, wheel: Path, folder: Path) -> Path:
    """The Python of an environment with the project, its tests' needs and us.

    Made once for each set of requirements and each Python; httpguard is put in
    anew each time.

    Args:
        project: Which.
        source: Its unpacked sdist.
        wheel: httpguard's.
        folder: The project's part of the cache.

    Raises:
        DownstreamError: Something cannot be installed.
    """
    target = folder / "venv"
    python = target / "bin" / "python"
    mark = target / "made_for.json"
    wanted = json.dumps([sys.version, project.version, project.requires])
    log = folder / "install.log"
    pip = [str(python), "-m", "pip", "install", "-q"]
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(target, ignore_errors=True)
        must([sys.executable, "-m", "venv", str(target)], log, "making a venv")
        packages = [f"{source}{project.extras}", *project.requires, *_GUARD_NEEDS]
        must([*pip, *packages], log, f"installing {project.name}")
        mark.write_text(wanted)
    must([*pip, "--no-deps", "--force-reinstall", str(wheel)], log, "httpguard")
    return python


def site_packages(python: Path) -> Path:
    """Where an environment has its packages."""
    return next((python.parent.parent / "lib").glob("python*/site-packages"))
