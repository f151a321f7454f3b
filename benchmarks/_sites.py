"""Code with many places that open a response, written to a file and imported.

A leak's report reads the source line of its site, so the sites need real ones.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ._calls import Client

Site = Callable[[Client], Any]
_FUNCTION: Final = """
def open_{number}(client):
    return client.manager.request("GET", client.url, preload_content=False)
"""


@contextmanager
def make_sites(count: int) -> Iterator[list[Site]]:
    """So many functions that open a response, each at a line of its own.

    Args:
        count: How many.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "application.py")
        text = "".join(_FUNCTION.format(number=number) for number in range(count))
        file.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("application", file)
        if spec is None or spec.loader is None:
            raise RuntimeError(file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield [getattr(module, f"open_{number}") for number in range(count)]
