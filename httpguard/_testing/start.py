"""The start of a guarded session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from .._baseline.baseline import Baseline
from .._model.errors import BaselineError, ConfigError
from .._model.project import read_project, with_project
from .._model.settings import load_settings
from .._process import session as _session
from .._process.process import in_session
from .collector import Collector
from .judge import Judge
from .session import GuardedSession
from .suite import Suite

if TYPE_CHECKING:
    from .._guard.guard import Guard
    from .._model.settings import Settings

# Tests judge what is open at their end; how long it was idle is no matter.
_NEVER: Final = 1e9
# Seconds that a failure may take, for each site, to say who holds a response.
_EXPLAIN: Final = 0.5
_OLDEST: Final = (8, 0)
_GUARD: Final = pytest.StashKey["Guard"]()


def install(config: pytest.Config) -> Guard | None:
    """Guard the process until pytest ends; None if ``HTTPGUARD_ENABLED`` says no.

    Raises `pytest.UsageError` where a setting of the environment or the interpreter is
    not accepted, or this pytest is too old.
    """
    guard = config.stash.get(_GUARD, None)
    if guard is None:
        if pytest.version_tuple < _OLDEST:
            raise pytest.UsageError(
                f"httpguard needs pytest 8 or later; this is {pytest.__version__}"
            )
        settings = _settings(str(config.rootpath))
        if not settings.enabled:
            return None
        # In a session inside a test, the guard is that of the session outside.
        outermost = not in_session()
        try:
            guard = config.stash[_GUARD] = _session.enter_session(settings)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from error
        if outermost:
            config.add_cleanup(_session.leave_session)
    return guard


def start(config: pytest.Config, *, warn: bool) -> None:
    guard = install(config)
    if guard is None:
        return
    option = config.option
    # To prune is to update, and more.
    option.httpguard_baseline_update |= option.httpguard_baseline_prune
    baseline = _baseline(config)
    update = option.httpguard_baseline_update
    suite = Suite(config)
    # In this order the collector has, at the end, what the session found last.
    collector = Collector(config, baseline, suite)
    judge = Judge(guard, baseline, fail=not (warn or update))
    session = GuardedSession(config, guard, judge, collector)
    config.pluginmanager.register(suite, "httpguard-suite")
    config.pluginmanager.register(collector, "httpguard-collector")
    config.pluginmanager.register(session, "httpguard-session")


def _settings(folder: str) -> Settings:
    given: dict[str, Any] = {
        "check_interval": 0,
        "max_idle": _NEVER,
        "max_open": None,
        "sample": 1.0,
        "strict": False,
    }
    try:
        told = with_project(os.environ, folder)
        load_settings({}, told)  # What has no say here is to be right all the same.
        if "HTTPGUARD_EXPLAIN" not in told:
            given["explain"] = _EXPLAIN
        return load_settings(given, told)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


def _baseline(config: pytest.Config) -> Baseline | None:
    """The baseline, an empty one if it is yet to be written."""
    path = config.option.httpguard_baseline
    if path:
        path = os.path.join(config.invocation_params.dir, path)
    elif path := config.getini("httpguard_baseline"):
        folder = config.rootpath if config.inipath is None else config.inipath.parent
        path = os.path.join(folder, path)
    else:
        path = read_project(str(config.rootpath)).baseline
    update = config.option.httpguard_baseline_update
    if not path:
        if update:
            option = "prune" if config.option.httpguard_baseline_prune else "update"
            raise pytest.UsageError(
                f"--httpguard-baseline-{option} needs --httpguard-baseline FILE, "
                "httpguard_baseline in the configuration file, or baseline below "
                "[tool.httpguard] of pyproject.toml"
            )
        return None
    # xdist hands the options to its workers, which may have another directory.
    config.option.httpguard_baseline = path
    if update and not os.path.exists(path):
        return Baseline((), os.path.dirname(path))
    try:
        return Baseline.load(path)
    except BaselineError as error:
        hint = "" if os.path.exists(path) else "; --httpguard-baseline-update writes it"
        raise pytest.UsageError(f"{error}{hint}") from error
