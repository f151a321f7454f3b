"""Compiles what is faster so, where there is a compiler: all works without."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

_NAME = "httpguard._clients.urllib3._speedups"
_SOURCE = os.path.join("httpguard", "_clients", "urllib3", "_speedups.c")


class CompiledPart(BuildHookInterface[Any]):
    """Puts the extension module into a wheel, or beside its source if editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile it.

        Args:
            version: Of the wheel: ``standard`` or ``editable``.
            build_data: What the wheel is told.
        """
        # Gone with this object, when the wheel is there.
        self._directory = tempfile.TemporaryDirectory()
        try:
            built = self._compile(self._directory.name)
            if version == "editable":
                self._put_beside_source(built)
            else:
                inside = f"httpguard/_clients/urllib3/{os.path.basename(built)}"
                build_data["force_include"][built] = inside
        except Exception as error:
            self.app.display_warning(f"{_NAME} is left out: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _put_beside_source(self, built: str) -> None:
        """In one step: a program that runs has the one before mapped into memory."""
        name = os.path.basename(built)
        target = os.path.join(self.root, os.path.dirname(_SOURCE), name)
        shutil.copy(built, target + ".new")
        os.replace(target + ".new", target)

    def _compile(self, directory: str) -> str:
        """The path of the module, made in a directory."""
        source = os.path.relpath(os.path.join(self.root, _SOURCE))
        command = build_ext(Distribution({"ext_modules": [Extension(_NAME, [source])]}))
        command.build_lib = command.build_temp = directory
        command.ensure_finalized()
        command.run()
        return command.get_ext_fullpath(_NAME)
