"""Fixtures of wider scope than a function's, as subjects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .subject import Subject

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def subject_for_fixture(
    fixture: pytest.FixtureDef[Any], node: pytest.Item | pytest.Collector, root: Path
) -> Subject:
    """The subject for a fixture.

    Args:
        fixture: Any.
        node: The class, module, package or session that it is set up for.
        root: What paths are relative to.
    """
    name = _name(fixture.argname)
    code = getattr(fixture.func, "__code__", None)
    path, line = "", None
    if code is not None:
        path = _relative(code.co_filename, root)
        line = code.co_firstlineno - 1
    subject = Subject(
        f"{fixture.scope} fixture {name!r}", f"{node.nodeid or path}::{name}"
    )
    subject.location = (path, line, subject.name)
    return subject


def _name(name: str) -> str:
    """As the user wrote it: pytest makes fixtures of set-ups in other styles."""
    if name.startswith("_") and "_fixture_" in name:
        name = name[1:].partition("_fixture_")[0]
        return name.removeprefix("unittest_").removeprefix("xunit_")
    return name


def _relative(filename: str, root: Path) -> str:
    """A file, with slashes, from the root where it can be."""
    try:
        return os.path.relpath(filename, root).replace(os.sep, "/")
    except ValueError:  # On another drive.
        return filename
