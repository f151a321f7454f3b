"""The comparison of two runs of a suite: what is a lost pass, and what is noise."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from downstream._command import DownstreamError
from downstream._compare import Trials, Verdict, judge, suspects
from downstream._judgements import JUDGEMENTS
from downstream._projects import PROJECTS
from downstream._sdist import checked
from downstream._suite import Suite, read_outcomes
from downstream.plugins.downstream_offline import is_local

PASSED, FAILED, MISSING = "passed", "failed", "missing"


def test_equal_runs_have_no_suspects() -> None:
    outcomes = {"a": PASSED, "b": FAILED, "c": "skipped"}

    assert suspects([outcomes], [dict(outcomes)]) == {}


def test_a_pass_that_turns_into_anything_else_is_suspect() -> None:
    plain = {"a": PASSED, "b": PASSED, "c": PASSED, "d": PASSED}
    guarded = {"a": FAILED, "b": "skipped", "c": PASSED}

    found = suspects([plain], [guarded])

    assert {test: trials.guarded for test, trials in found.items()} == {
        "a": [FAILED],
        "b": ["skipped"],
        "d": [MISSING],
    }


def test_what_did_not_pass_without_the_guard_is_no_loss() -> None:
    plain = {"a": FAILED, "b": "skipped", "c": "error"}
    guarded = {"a": "error", "b": FAILED, "c": PASSED, "new": FAILED}

    assert suspects([plain], [guarded]) == {}


def test_every_round_is_looked_at() -> None:
    rounds = [{"a": PASSED}, {"a": PASSED}]

    found = suspects(rounds, [{"a": PASSED}, {"a": FAILED}])

    assert found == {"a": Trials([PASSED, PASSED], [PASSED, FAILED])}


@pytest.mark.parametrize(
    ("trials", "now", "at_last"),
    [
        pytest.param(
            Trials([PASSED], [FAILED]),
            Verdict.OPEN,
            Verdict.LOST,
            id="had no chance to pass again",
        ),
        pytest.param(
            Trials([PASSED, PASSED], [FAILED, FAILED]),
            Verdict.LOST,
            Verdict.LOST,
            id="fails in the suite again",
        ),
        pytest.param(
            Trials([PASSED, PASSED, PASSED], [FAILED, PASSED, PASSED]),
            Verdict.OPEN,
            Verdict.NOISE,
            id="failed once and not again",
        ),
        pytest.param(
            Trials([PASSED, FAILED], [FAILED, FAILED]),
            Verdict.NOISE,
            Verdict.NOISE,
            id="fails in the suite without the guard too",
        ),
        pytest.param(
            Trials([PASSED], [FAILED], [PASSED] * 3, [FAILED] * 3),
            Verdict.LOST,
            Verdict.LOST,
            id="fails on its own too",
        ),
        pytest.param(
            Trials([PASSED], [FAILED], [PASSED, FAILED, PASSED], [FAILED] * 3),
            Verdict.NOISE,
            Verdict.NOISE,
            id="flaky on its own without the guard",
        ),
        pytest.param(
            Trials([PASSED], [FAILED], [PASSED] * 3, [PASSED, FAILED, PASSED]),
            Verdict.OPEN,
            Verdict.LOST,
            id="flaky on its own, with the guard only",
        ),
        pytest.param(
            Trials([PASSED] * 2, [FAILED] * 2, [FAILED] * 3, [FAILED] * 3),
            Verdict.LOST,
            Verdict.LOST,
            id="cannot run on its own, and fails again in the suite",
        ),
        pytest.param(
            Trials([PASSED] * 2, [FAILED] * 2, [PASSED] * 3, [PASSED] * 3),
            Verdict.LOST,
            Verdict.LOST,
            id="fails in the company of others only",
        ),
    ],
)
def test_a_loss_is_told_from_noise(
    trials: Trials, now: Verdict, at_last: Verdict
) -> None:
    assert judge(trials) is now
    assert judge(trials, last=True) is at_last


def test_the_record_of_a_killed_run_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    record = tmp_path / "outcomes.jsonl"
    whole = json.dumps({"test": "a", "outcome": PASSED})
    record.write_text(whole + "\n" + whole[:12], encoding="utf-8")

    assert read_outcomes(record) == {"a": PASSED}
    assert read_outcomes(tmp_path / "none.jsonl") == {}


def test_an_sdist_with_another_hash_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "project-1.0.tar.gz"
    archive.write_bytes(b"not what was pinned")
    right = hashlib.sha256(archive.read_bytes()).hexdigest()

    assert checked(archive, right) == archive
    with pytest.raises(DownstreamError, match="pinned is 0000"):
        checked(archive, "0" * 64)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("fe80::1%lo", False),
        ("0.0.0.0", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        (b"localhost", True),
        ("", True),
        (None, True),
        ("10.255.255.1", False),
        ("example.com", False),
    ],
)
def test_only_this_machine_is_reachable(host: object, local: object) -> None:
    assert is_local(host) is local


def test_the_table_is_sound() -> None:
    names = [project.name for project in PROJECTS]

    assert len(set(names)) == len(names)
    assert all(len(project.sha256) == 64 for project in PROJECTS)
    assert set(JUDGEMENTS) <= set(names)


def suite_of(tmp_path: Path, name: str, text: str) -> Suite:
    source = tmp_path / "source"
    source.mkdir()
    (source / name).write_text(text, encoding="utf-8")
    alone = (("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"),)
    project = replace(PROJECTS[0], options=(), environ=alone)
    return Suite(project, source, Path(sys.executable), tmp_path, (name,))


def test_what_a_run_leaves_at_home_is_not_for_the_next(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "test_home.py",
        "from pathlib import Path\n"
        "def test_home():\n"
        "    home = Path.home()\n"
        "    assert not list(home.iterdir())\n"
        "    (home / 'settings').touch()\n",
    )

    runs = [suite.run(guarded=False) for _ in range(2)]

    assert [run.outcomes for run in runs] == [{"test_home.py::test_home": "passed"}] * 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("import not_there\n", "No module named 'not_there'", id="import"),
        pytest.param("def test_it():\n    assert not 7\n", "assert not 7", id="fails"),
    ],
)
def test_a_suite_of_which_nothing_passes_cannot_lose_a_pass(
    tmp_path: Path, text: str, said: str
) -> None:
    suite = suite_of(tmp_path, "test_one.py", text)

    with pytest.raises(DownstreamError, match="does not run") as raised:
        suite.run(guarded=False)

    assert said in str(raised.value)
