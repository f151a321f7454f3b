"""The pytest plugin: silent until ``--httpguard`` or ``httpguard = true`` asks.

What it does when asked is in `_testing`, which is imported then.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

FAIL: Final = "fail"
WARN: Final = "warn"
OFF: Final = "off"
_MODES: Final = (FAIL, WARN, OFF)
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), FAIL),
    **dict.fromkeys(("false", "no", "0", ""), OFF),
    **{mode: mode for mode in _MODES},
}
_OPTION: Final = "--httpguard"
_MARKER: Final = (
    "httpguard(allow=None, max_open=None): under --httpguard, allow: the reason why "
    "the responses that this test leaves open are not judged; max_open: fail if it "
    "has more responses than this open at once."
)


class _Mode(argparse.Action):
    """``--httpguard`` and ``--httpguard=MODE``.

    An option whose value may be left out would take the next argument for it:
    ``pytest --httpguard tests``. So each form is an option of its own.
    """

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        _values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep the mode."""
        mode = (option_string or "").partition("=")[2]
        setattr(namespace, self.dest, mode or FAIL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and settings."""
    group = parser.getgroup("httpguard", "HTTP responses that are never closed")
    group.addoption(
        _OPTION,
        *(f"{_OPTION}={mode}" for mode in _MODES),
        action=_Mode,
        nargs=0,
        default=None,
        dest="httpguard",
        help="Fail tests that leak HTTP responses; =warn: only list them at the end; "
        "=off: not, whatever the configuration file says.",
    )
    group.addoption(
        "--httpguard-baseline",
        metavar="FILE",
        help="Tolerate the leaks in this file; new ones fail, fixed ones are listed.",
    )
    group.addoption(
        "--httpguard-baseline-update",
        action="store_true",
        help="Write the leaks of this run to the baseline, and fail nothing for them. "
        "Those that did not occur go if the whole suite ran, and passed.",
    )
    group.addoption(
        "--httpguard-baseline-prune",
        action="store_true",
        help="As --httpguard-baseline-update; what did not occur goes in any case.",
    )
    # A TOML file may say `true`, which pytest 9.2 wants to be told.
    kind: Any = str | bool if pytest.version_tuple >= (9, 2) else "string"
    parser.addini(
        "httpguard",
        "As the option: true or fail, warn, false or off.",
        type=kind,
        default="",
    )
    parser.addini(
        "httpguard_baseline",
        "As the option --httpguard-baseline; relative to the configuration file.",
        default="",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Guard before anything of the suite is imported."""
    if _mode(early_config, early_config.known_args_namespace) != OFF:
        from ._testing import start as _start

        _start.install(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker in any case, and what watches the tests if asked."""
    config.addinivalue_line("markers", _MARKER)
    mode = _mode(config, config.option)
    if mode != OFF:
        from ._testing import start as _start

        _start.start(config, warn=mode == WARN)
        return
    for name in ("prune", "update", ""):
        option = f"--httpguard-baseline-{name}".rstrip("-")
        if getattr(config.option, option[2:].replace("-", "_")):
            raise pytest.UsageError(f"{option} needs {_OPTION}")


def _mode(config: pytest.Config, options: argparse.Namespace) -> str:
    """What was asked for, on the command line or in the configuration file.

    Raises `pytest.UsageError` where that says something else.
    """
    given: str | None = getattr(options, "httpguard", None)
    if given is not None:
        return given
    value = config.getini("httpguard")
    mode = _WORDS.get(str(value).strip().lower())
    if mode is None:
        accepted = "true, fail, warn, false, off"
        raise pytest.UsageError(
            f"httpguard = {value!r} in {config.inipath}; accepted: {accepted}"
        )
    return mode
