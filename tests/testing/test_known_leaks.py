"""A baseline under pytest: known leaks pass, new ones fail, fixed ones are said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.testing.suites import LEAKS, OPENS, SHOP, Suite, errors, found

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

TESTS = """
    KEPT = []

    def test_drops():
        shop.status()

    @pytest.mark.httpguard(max_open=5)
    def test_keeps():
        KEPT.append(shop.opened())

    @pytest.fixture(scope="module")
    def feed():
        shop.status()

    def test_feed(feed):
        pass
"""
FILE = "known.json"
USE = ("--httpguard-baseline", FILE)
UPDATE = (*USE, "--httpguard-baseline-update")


def known(path: Path) -> list[dict[str, Any]]:
    leaks: list[dict[str, Any]] = json.loads((path / FILE).read_text("utf-8"))["leaks"]
    return leaks


def test_known_leaks_pass_and_new_ones_fail(suite: Suite) -> None:
    suite.test(TESTS)
    written = suite.run(*UPDATE)
    written.assert_outcomes(passed=3)
    assert written.ret == 0
    written.stdout.fnmatch_lines([f"wrote 2 known leaks to {FILE}"])
    assert known(suite.path) == [
        {
            "kind": "open",
            "file": "shop.py",
            "function": "opened",
            "source": "return requests.get(URL, stream=True)  # opens",
        },
        {
            "kind": "dropped",
            "file": "shop.py",
            "function": "status",
            "source": "return requests.get(URL, stream=True).status_code  # leaks",
        },
    ]
    # Lines move.
    shop = suite.path / "shop.py"
    shop.write_text(f"import json\n\n{shop.read_text('utf-8')}", "utf-8")
    again = suite.run(*USE)
    again.assert_outcomes(passed=3)
    assert found(again) == []
    again.stdout.fnmatch_lines([f"3 leaked responses known in {FILE}"])
    # A new one comes.
    suite.test("def test_new(): requests.get(shop.URL, stream=True)", "test_new.py")
    result = suite.run(*USE)
    result.assert_outcomes(passed=3, failed=1)
    assert errors(result) == ["FAILED test_new.py::test_new"]
    assert found(result) == ["1 dropped at test_new.py:2 in test_new"]


def test_fixed_leaks_are_said_and_go(suite: Suite) -> None:
    suite.test(TESTS)
    suite.run(*UPDATE)
    (suite.path / FILE).write_text(
        (suite.path / FILE).read_text("utf-8").replace('"}', '", "note": "ours"}'),
        "utf-8",
    )
    suite.test("def test_drops(): shop.status()")
    # A part of the suite says nothing of what it does not meet.
    part = suite.run(*USE, "test_it.py")
    part.stdout.fnmatch_lines([f"1 known leak of {FILE} not met in this part*"])
    suite.run(*UPDATE, "test_it.py")
    assert len(known(suite.path)) == 2
    whole = suite.run(*USE)
    whole.assert_outcomes(passed=1)
    whole.stdout.fnmatch_lines(
        [
            f"1 known leak of {FILE} did not occur any more:",
            "  open shop.py in opened: return requests.get(URL, stream=True)*",
        ]
    )
    suite.run(*UPDATE).stdout.fnmatch_lines([f"wrote 1 known leak to {FILE}"])
    assert [(e["function"], e["note"]) for e in known(suite.path)] == [
        ("status", "ours")
    ]


# Two directories and a file, each with a leak of its own.
LEAKY = {
    "test_top.py": "def test_top(): requests.get(shop.URL, stream=True)",
    "a/test_a.py": "def test_a(): requests.get(shop.URL, stream=True)",
    "b/test_b.py": "def test_b(): requests.get(shop.URL, stream=True)",
}
FIXED = "def test_fixed(): pass"


def leaky(suite: Suite) -> None:
    """A suite of three leaks, all of them known."""
    for name, source in LEAKY.items():
        suite.test(source, name)
    suite.run(*UPDATE).assert_outcomes(passed=3)
    assert len(known(suite.path)) == 3


@pytest.mark.parametrize(
    "part",
    [
        ("a",),
        ("test_top.py",),
        ("test_top.py::test_top",),
        ("-k", "top"),
        ("-m", "slow"),
        ("--ignore=b",),
        ("--ignore-glob=*/test_b*",),
        ("--deselect=b/test_b.py::test_b",),
        ("--collect-only",),
        ("-o", "python_files=test_top.py"),
        ("--setup-only",),
    ],
    ids=" ".join,
)
def test_what_was_not_asked_for_stays_known(
    suite: Suite, part: tuple[str, ...]
) -> None:
    leaky(suite)
    suite.run(*UPDATE, *part)
    assert len(known(suite.path)) == 3


@pytest.mark.parametrize(
    "source",
    [
        "def test_b(): pytest.skip('not here')",
        "@pytest.mark.skip\ndef test_b(): pass",
        "pytest.skip('not here', allow_module_level=True)",
        "pytest.importorskip('no_such_module')",
        "raise RuntimeError",
        "def test_b(): assert False",
        "@pytest.mark.xfail\ndef test_b(): assert False",
        "@pytest.mark.xfail(run=False)\ndef test_b(): pass",
        "@pytest.fixture\ndef broken(): assert False\ndef test_b(broken): pass",
        "from unittest import TestCase\nclass B(TestCase):\n  test_b = TestCase.fail",
    ],
)
@pytest.mark.parametrize("workers", [False, True])
def test_what_did_not_run_to_its_end_stays_known(
    suite: Suite, source: str, *, workers: bool
) -> None:
    leaky(suite)
    suite.test(source, "b/test_b.py")
    more = ("-n1", "--continue-on-collection-errors") if workers else ()
    result = suite.run(*UPDATE, *more, plugins=("xdist",) if workers else ())
    assert len(known(suite.path)) == 3
    if "raise" not in source:
        result.stdout.fnmatch_lines([f"1 known leak of {FILE} not met in this part*"])


def test_what_came_after_the_last_stop_stays_known(suite: Suite) -> None:
    leaky(suite)
    suite.test("def test_a(): assert False", "a/test_a.py")
    suite.run(*UPDATE, "-x")
    assert len(known(suite.path)) == 3
    # And so does what had not failed the last time.
    suite.run(*UPDATE, "--lf")
    assert len(known(suite.path)) == 3


def test_what_a_plugin_leaves_out_stays_known(suite: Suite) -> None:
    leaky(suite)
    suite.write(
        "conftest.py", "def pytest_collection_modifyitems(items): del items[0]\n"
    )
    for more, plugins in (((), ()), (("-n1",), ("xdist",))):
        suite.run(*UPDATE, *more, plugins=plugins)
        assert len(known(suite.path)) == 3


def test_what_another_suite_may_leak_stays_known(suite: Suite) -> None:
    leaky(suite)
    suite.write("a/pytest.ini", "[pytest]\npythonpath = ..\n")
    update = ("--httpguard-baseline", f"../{FILE}", "--httpguard-baseline-update")
    suite.monkeypatch.chdir(suite.path / "a")
    suite.run(*update, "--rootdir=.")
    assert len(known(suite.path)) == 3


@pytest.mark.parametrize(
    "whole",
    [(), (".",), ("-n2",), ("a", "b", "test_top.py")],
    ids=" ".join,
)
def test_of_the_whole_suite_what_is_fixed_goes(
    suite: Suite, whole: tuple[str, ...]
) -> None:
    leaky(suite)
    if "a" in whole:
        suite.write("pytest.ini", "[pytest]\ntestpaths = a b test_top.py\n")
    suite.test(FIXED, "b/test_b.py")
    suite.test("def test_new(): requests.post(shop.URL, stream=True)", "a/test_new.py")
    suite.run(*UPDATE, *whole, plugins=("xdist",))
    assert [entry["function"] for entry in known(suite.path)] == [
        "test_a",
        "test_new",
        "test_top",
    ]


def test_to_prune_takes_out_what_was_not_met(suite: Suite) -> None:
    leaky(suite)
    suite.test("def test_b(): pytest.skip('not here')", "b/test_b.py")
    result = suite.run(*USE, "--httpguard-baseline-prune")
    result.stdout.fnmatch_lines([f"wrote 2 known leaks to {FILE}"])
    result.stdout.no_fnmatch_line("*not met*")
    assert [entry["function"] for entry in known(suite.path)] == ["test_a", "test_top"]


def test_a_new_leak_is_no_test_that_did_not_run(suite: Suite) -> None:
    leaky(suite)
    suite.test("def test_new(): shop.status()", "b/test_b.py")
    result = suite.run(*USE)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines([f"1 known leak of {FILE} did not occur any more:"])


def test_crowds_are_in_no_baseline(suite: Suite) -> None:
    suite.test("""
        @pytest.mark.httpguard(max_open=1)
        def test_crowd():
            with shop.opened(), shop.opened():
                pass
    """)
    suite.run(*UPDATE)
    assert known(suite.path) == []
    suite.run(*USE).assert_outcomes(failed=1)


def test_a_baseline_that_cannot_be_written_is_an_error(suite: Suite) -> None:
    suite.test("def test_drops(): shop.status()")
    file = "nowhere/known.json"
    result = suite.run("--httpguard-baseline", file, "--httpguard-baseline-update")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([f"httpguard: cannot write the baseline *{file}*"])


def test_workers_share_a_baseline_from_the_configuration(suite: Suite) -> None:
    suite.write("ci/known.json", '{"version": 1, "leaks": []}')
    suite.write(
        "pytest.ini", "[pytest]\nhttpguard = true\nhttpguard_baseline = ci/known.json\n"
    )
    suite.test(TESTS)
    suite.run("-n2", asked=False, plugins=("xdist",)).assert_outcomes(
        passed=2, failed=1, errors=2
    )
    update = ("-n2", "--httpguard-baseline-update")
    suite.run(*update, asked=False, plugins=("xdist",)).assert_outcomes(passed=3)
    written = json.loads((suite.path / "ci/known.json").read_text("utf-8"))["leaks"]
    assert [entry["file"] for entry in written] == ["../shop.py", "../shop.py"]
    result = suite.run("-n2", asked=False, plugins=("xdist",))
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"3 leaked responses known in ci/{FILE}"])


@pytest.mark.parametrize(
    ("arguments", "asked", "message"),
    [
        (USE, True, "*cannot read*known.json*--httpguard-baseline-update writes it"),
        (("--httpguard-baseline-update",), True, "*needs --httpguard-baseline FILE*"),
        (
            ("--httpguard-baseline-prune",),
            True,
            "*-prune needs --httpguard-baseline FILE*",
        ),
        (USE, False, "*--httpguard-baseline needs --httpguard"),
        (
            ("--httpguard-baseline-update",),
            False,
            "*--httpguard-baseline-update needs --httpguard",
        ),
        (("--httpguard-baseline", "shop.py"), True, "*shop.py, line 1: no JSON*"),
    ],
)
def test_errors_of_use_are_named(
    suite: Suite, arguments: tuple[str, ...], *, asked: bool, message: str
) -> None:
    suite.test("def test_it(): pass")
    result = suite.run(*arguments, asked=asked)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_lines_are_where_they_are_said_to_be() -> None:
    assert "# leaks" in SHOP.splitlines()[LEAKS - 1]
    assert "# opens" in SHOP.splitlines()[OPENS - 1]
