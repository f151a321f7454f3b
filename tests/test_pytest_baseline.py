"""A baseline under pytest: known leaks pass, new ones fail, fixed ones are said."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_pytest_plugin import LEAKS, OPENS, SHOP, Suite, errors, found
from tests.test_pytest_plugin import suite as _suite

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]
suite = _suite

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


@pytest.mark.parametrize("part", [("-k", "drops"), ("-x",)])
def test_a_part_of_the_suite_forgets_nothing(
    suite: Suite, part: tuple[str, ...]
) -> None:
    suite.test(TESTS)
    suite.run(*UPDATE)
    suite.test(f"def test_it(): assert False\n{textwrap.dedent(TESTS)}")
    result = suite.run(*USE, *part)
    result.stdout.fnmatch_lines([f"* known leak* of {FILE} not met in this part*"])
    suite.run(*UPDATE, *part)
    assert len(known(suite.path)) == 2


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
        (USE, False, "*--httpguard-baseline needs --httpguard"),
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
