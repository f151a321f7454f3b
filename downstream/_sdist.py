"""The sdists: fetched by pip, checked against the pinned hash, unpacked."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
from typing import TYPE_CHECKING

from ._command import DownstreamError, must

if TYPE_CHECKING:
    from pathlib import Path

    from ._project import Project


def unpacked(project: Project, folder: Path) -> Path:
    """The project's source tree, with its tests, as it was released.

    Unpacked anew each time, which takes less than a second: an earlier run may
    have left files in it.

    Args:
        project: Which.
        folder: Its part of the cache.

    Returns:
        The root of the tree.

    Raises:
        DownstreamError: It cannot be had, or is not the pinned one.
    """
    archive = _fetched(project, folder)
    target = folder / "source"
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return next(target.iterdir())


def checked(archive: Path, sha256: str) -> Path:
    """The archive, if it is the pinned one.

    Raises:
        DownstreamError: It is another one.
    """
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise DownstreamError(f"{archive.name} has sha256 {found}, pinned is {sha256}")
    return archive


def _fetched(project: Project, folder: Path) -> Path:
    """The archive, from the cache or from the index pip is configured for."""
    store = folder / "sdist"
    store.mkdir(parents=True, exist_ok=True)
    archives = list(store.iterdir())
    if not archives:
        pin = folder / "sdist.txt"
        pin.write_text(
            f"{project.package}=={project.version} --hash=sha256:{project.sha256}\n"
        )
        # pip, too, refuses another hash, before it runs anything of the archive.
        command = ["-m", "pip", "download", "--no-deps", "--require-hashes"]
        command += ["--no-binary", project.package, "-d", str(store), "-r", str(pin)]
        must(
            [sys.executable, *command],
            folder / "fetch.log",
            f"fetching {project.package} {project.version}",
        )
        archives = list(store.iterdir())
    return checked(archives[0], project.sha256)
