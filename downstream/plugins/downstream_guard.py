"""Guards a suite: httpguard is installed before anything of the suite is imported.

At the end of the session the snapshot is written as JSON.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from pathlib import Path
from typing import Final

import httpguard

LEAKS: Final = "DOWNSTREAM_LEAKS"
_FIRST: Final = "urllib3" not in sys.modules


class Failures(logging.Handler):
    """What httpguard says of its own failures: once for each part."""

    def __init__(self) -> None:
        """None yet."""
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the sentence and its traceback."""
        self.texts.append(self.format(record))


_FAILURES: Final = Failures()
logging.getLogger("httpguard").addHandler(_FAILURES)

# A rhythm that puts a sweep into every test, and a patience that finds a `held`
# response before the test is over.
httpguard.install(check_interval=0.05, max_idle=1.0)


def pytest_unconfigure() -> None:
    """Collect what the last tests left, and write down what was found."""
    gc.collect()
    found = {
        "installed_first": _FIRST,
        **httpguard.check().to_dict(),
        "failures": _FAILURES.texts,
    }
    Path(os.environ[LEAKS]).write_text(json.dumps(found), encoding="utf-8")
