"""Settings: arguments over environment over defaults, and errors that help."""

from __future__ import annotations

import dataclasses
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import ConfigError, Settings
from httpguard._model.settings import load_settings, unknown_variables
from tests.program import watchers

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server


def test_defaults_are_the_documented_ones() -> None:
    assert dataclasses.asdict(Settings()) == {
        "strict": False,
        "max_leaks": 0,
        "max_open": None,
        "max_idle": 60.0,
        "check_interval": 5.0,
        "stack_depth": 32,
        "sample": 1.0,
        "app": (),
        "vendored": (),
        "ignore": (),
        "max_wait": 5.0,
        "max_sessions": 20,
        "reclaim": False,
        "on_held": "report",
        "log": None,
        "log_max_bytes": 64 * 1024 * 1024,
        "log_keep": 3,
        "explain": 0.02,
        "follow_executors": False,
        "enabled": True,
        "serve": None,
        "serve_token": None,
    }


def test_arguments_win_over_the_environment() -> None:
    environment = {"HTTPGUARD_MAX_IDLE": "7", "HTTPGUARD_MAX_LEAKS": "3"}
    settings = load_settings({"max_idle": 2}, environment)
    assert (settings.max_idle, settings.max_leaks) == (2.0, 3)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("strict", "1", True),
        ("strict", " Yes ", True),
        ("strict", "off", False),
        ("max_open", "none", None),
        ("max_open", "12", 12),
        ("sample", "0.25", 0.25),
        ("check_interval", "0", 0.0),
        ("max_wait", "0.5", 0.5),
        ("max_wait", "None", None),
        ("max_sessions", "none", None),
        ("max_sessions", "3", 3),
        ("log", "None", None),
        ("serve", "none", None),
        ("serve_token", "none", None),
        ("reclaim", "1", True),
        ("on_held", " Close ", "close"),
        ("app", "one, two.three,", ("one", "two.three")),
        ("ignore", "http://*/health", ("http://*/health",)),
    ],
)
def test_a_variable_is_read(name: str, text: str, value: object) -> None:
    settings = load_settings({}, {f"HTTPGUARD_{name.upper()}": text})
    assert getattr(settings, name) == value


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({}, {"HTTPGUARD_MAX_IDLE": " "}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strict", "maybe"),
        ("strict", 2),
        ("max_leaks", -1),
        ("max_leaks", 1.5),
        ("max_leaks", True),
        ("max_open", 0),
        ("max_idle", -0.1),
        ("max_idle", float("nan")),
        ("max_idle", float("inf")),
        ("max_idle", True),
        ("check_interval", "soon"),
        ("stack_depth", 0),
        ("sample", 1.01),
        ("app", 3),
        ("app", ("one", 2)),
        ("ignore", [b"bytes"]),
        ("check_interval", 1e10),
        ("check_interval", 10**400),
        ("max_idle", 1e10),
        ("max_wait", 1e10),
        ("explain", 1e10),
        ("max_leaks", 10**10),
        ("max_open", 10**10),
        ("max_sessions", 10**10),
        ("stack_depth", 10**10),
        ("stack_depth", 2.0),
        ("log_max_bytes", 10**16),
        ("log_keep", 10**10),
        ("serve", 65536),
        ("serve", (8765, 0)),
        ("serve", ("127.0.0.1", 0, 0)),
        ("max_wait", -1),
        ("max_wait", "soon"),
        ("max_wait", float("nan")),
        ("max_sessions", 0),
        ("max_sessions", 2.5),
        ("reclaim", "later"),
        ("on_held", "kill"),
        ("on_held", None),
        ("enabled", "perhaps"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        httpguard.install(**{name: value})
    assert f"{name}={value!r} is not accepted: " in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "urlopen" not in repr(httpguard.snapshot())


BOUNDED = [
    *("check_interval", "max_idle", "max_wait", "explain", "sample", "max_leaks"),
    *("max_open", "max_sessions", "stack_depth", "log_max_bytes", "log_keep"),
]


@pytest.mark.parametrize("name", BOUNDED)
def test_the_upper_bound_is_said_and_accepted(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(**{name: 10**20})  # type: ignore[arg-type]
    said = re.search(r"from \d+ to ([\d,]+)", str(caught.value))
    assert said is not None
    most = int(said[1].replace(",", ""))
    assert getattr(Settings(**{name: most}), name) == most  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Settings(**{name: most + 1})  # type: ignore[arg-type]


def test_the_longest_interval_is_one_a_thread_can_wait(
    server: Server, guard: GuardControl
) -> None:
    guard.install(check_interval=min(1e9, threading.TIMEOUT_MAX))
    with requests.get(server.url("/bytes/90000"), stream=True):
        assert len(watchers()) == 1


def test_a_bad_variable_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPGUARD_SAMPLE", "half")
    with pytest.raises(ConfigError) as caught:
        httpguard.install()
    expected = "HTTPGUARD_SAMPLE='half' is not accepted: a number from 0 to 1"
    assert str(caught.value) == expected


def test_disabled_reads_nothing_else() -> None:
    environment = {"HTTPGUARD_ENABLED": "0", "HTTPGUARD_SAMPLE": "half"}
    assert load_settings({}, environment).enabled is False


def test_unknown_variables_are_named() -> None:
    environment = {"HTTPGUARD_STRCIT": "1", "HTTPGUARD_STRICT": "1", "PATH": "/"}
    (text,) = unknown_variables(environment)
    assert text == (
        "there is no setting HTTPGUARD_STRCIT; did you mean HTTPGUARD_STRICT?"
    )


def test_a_typo_in_a_variable_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTPGUARD_STRCIT", "1")
    httpguard.install()
    httpguard.uninstall()
    assert "HTTPGUARD_STRCIT" in caplog.text


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().strict = True  # type: ignore[misc]  # what is tested
