"""httpguard report: what it says of counts that may be more, files, pools, holders."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.test_report import FETCH, TEXT, call, leak, log, only, read, summary

if TYPE_CHECKING:
    from pathlib import Path

STARVED = {
    **{key: leak()[key] for key in ("schema", "timestamp", "run", "pid", "host")},
    "event": "httpguard.pool_starved",
    "pool": "http://api:80",
    "maxsize": 2,
    "waiting": 3,
    "longest_wait": 6.123,
    "waiters": [{"site": FETCH, "count": 3, "longest": 6.1, "threads": ["a"]}],
    "lost": [],
    "hint": "give the slots back",
}
CHURN = {
    **{key: leak()[key] for key in ("schema", "timestamp", "run", "pid", "host")},
    "event": "httpguard.session_churn",
    "site": FETCH,
    "made": 40,
    "hint": "share one Session",
}


def counts(count: int, **fields: Any) -> dict[str, Any]:
    """As the guard writes them now and then."""
    total = {"kind": "dropped", "site": FETCH, "count": count, "resolved": 0}
    return summary(total, event="httpguard.counts", level="info", **fields)


class TestCountsThatMayBeMore:
    def test_a_process_that_did_not_sum_up(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak(10), leak(2, run="bb"), summary(leak(12)))
        site = only(named)
        assert (site["leaks"], site["at_least"]) == (14, True)
        text = call(named).stdout
        assert re.search(r" 14\+ +dropped ", text)
        assert "+: at least" in text
        page = tmp_path / "page.html"
        call(named, "--html", str(page))
        assert "14+" in page.read_text(encoding="utf-8")

    def test_one_that_did(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak(10), summary(leak(12)))
        site = only(named)
        assert (site["leaks"], site["at_least"]) == (12, False)
        text = call(named).stdout
        assert "12+" not in text
        assert "+:" not in text

    def test_one_that_told_its_counts(self, tmp_path: Path) -> None:
        site = only(log(tmp_path / "a", leak(10), counts(37), counts(38)))
        # More may have come between the last counts and a signal.
        assert (site["leaks"], site["at_least"]) == (38, True)
        assert site["example"]["url"] == leak()["url"]

    def test_they_are_of_their_time(self, tmp_path: Path) -> None:
        late = "2026-03-01T11:30:00+00:00"
        named = log(tmp_path / "a", leak(10), counts(37, timestamp=late))
        leaks = only(named)["trend"]["leaks"]
        assert (leaks[0], leaks[-1], sum(leaks)) == (10, 27, 37)
        assert only(named, "--since", "2026-03-01T11:00")["leaks"] == 27


class TestFilesWithoutALineOfOurs:
    def test_they_are_named_and_fail(self, tmp_path: Path) -> None:
        ours = log(tmp_path / "a", summary())
        other = log(tmp_path / "b", '{"event": "handled"}', "INFO started")
        assert call(ours, "--fail").exit_code == 0
        done = call(ours, other, "--fail")
        assert done.exit_code == 23
        assert f"no line of httpguard in {other}" in done.stdout.replace("\n", "")
        assert call(other).exit_code == 0
        assert read(ours, other)["reading"]["foreign"] == [other]

    def test_a_text_report_is_one(self, tmp_path: Path) -> None:
        assert read(log(tmp_path / "a", TEXT))["reading"]["foreign"] == []


class TestPoolsAndAdvice:
    def test_every_form_has_them(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", STARVED, STARVED, CHURN, leak(), summary(leak()))
        starved, churn = read(named)["notices"]
        assert (starved["event"], starved["subject"]) == (
            "pool_starved",
            "http://api:80",
        )
        assert (starved["times"], starved["hint"]) == (2, "give the slots back")
        for part in ("maxsize 2", "waiting 3", "longest wait 6.12", "waiters: 3 at "):
            assert part in starved["says"]
        assert churn["subject"] == "/srv/app/views.py:12 in fetch"
        page = tmp_path / "page.html"
        flat = " ".join(call(named, "--html", str(page)).stdout.split())
        assert "pool starved http://api:80 · 2 times, last 2026-03-01 10:00 UTC" in flat
        for text in (flat, page.read_text(encoding="utf-8")):
            assert "give the slots back" in text
            assert "share one Session" in text
            assert "made 40" in text

    def test_those_before_the_time_asked_for_are_left_out(self, tmp_path: Path) -> None:
        assert read(log(tmp_path / "a", STARVED), "--since", "1h")["notices"] == []


class TestWhatHoldsAndLoses:
    def test_every_form_says_it(self, tmp_path: Path) -> None:
        held = "app.cache (module global) -> [cut: dict['k']]"
        culprit = {"filename": "/srv/app/hooks.py", "lineno": 3, "function": "hook"}
        named = log(tmp_path / "a", leak(kind="held", held_by=held, culprit=culprit))
        example = only(named)["example"]
        assert (example["held_by"], example["status"]) == (held, "200")
        assert example["culprit"] == "/srv/app/hooks.py:3 in hook"
        page = tmp_path / "page.html"
        flat = " ".join(call(named, "--html", str(page)).stdout.split())
        assert f"held by {held}" in flat
        assert "lost in /srv/app/hooks.py:3 in hook" in flat
        html = page.read_text(encoding="utf-8")
        assert "app.cache (module global)" in html
        assert "/srv/app/hooks.py:3 in hook" in html


@pytest.mark.parametrize("columns", ["", "60", "80", "100", "200"])
def test_the_site_is_in_the_table_whatever_its_width(
    columns: str, tmp_path: Path
) -> None:
    named = log(tmp_path / "a", leak(3, kind="unreleased"))
    done = subprocess.run(
        [sys.executable, "-m", "httpguard", "report", named, "--root", "/srv/app"],
        env={"COLUMNS": columns, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    table, _, _ = done.stdout.partition("\n\n")
    assert "site" in table
    assert "views.py:12 in fetch" in re.sub(r"\s+", " ", table)


class TestSarif:
    def sarif(self, *arguments: str) -> list[str]:
        done = call(*arguments, "--sarif", "-", "--root", "/srv/app")
        (ran,) = json.loads(done.stdout)["runs"]
        return [
            it["partialFingerprints"]["httpguardSite/v1"]
            for it in sorted(
                ran["results"],
                key=lambda it: it["locations"][0]["physicalLocation"]["region"][
                    "startLine"
                ],
            )
        ]

    def stacks(self, *lines: tuple[int, str]) -> list[dict[str, Any]]:
        frames = (
            FETCH | {"lineno": number, "source": source, "application": True}
            for number, source in lines
        )
        return [leak(site=frame, stack=[frame]) for frame in frames]

    def test_two_lines_of_a_function_are_two(self, tmp_path: Path) -> None:
        lines = self.stacks((12, "a = get(x)"), (13, "b = get(y)"))
        first, second = self.sarif(log(tmp_path / "a", *lines))
        assert first != second
        moved = self.stacks((13, "new()"), (20, "a = get(x)"), (21, "b = get(y)"))
        assert self.sarif(log(tmp_path / "b", *moved))[1:] == [first, second]

    @pytest.mark.parametrize("source", ["a = get(x)", ""])
    def test_lines_that_are_alike_are_told_apart(
        self, source: str, tmp_path: Path
    ) -> None:
        lines = self.stacks((12, source), (13, source))
        assert len(set(self.sarif(log(tmp_path / "a", *lines)))) == 2

    def test_standard_output_has_nothing_else(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak())
        assert json.loads(call(named, "--sarif", "-").stdout)["version"] == "2.1.0"
        assert call(named, "--html", "-").stdout.startswith("<!doctype html>")
        both = call(named, "--html", "-", "--sarif", "-")
        assert (both.exit_code, both.stdout) == (2, "")


def test_a_line_with_a_damaged_stack_is_damaged(tmp_path: Path) -> None:
    line = json.dumps(leak(5)).replace('"lineno": 3,', '"lineno": x3,')
    made = read(log(tmp_path / "a", line, leak(4)))
    assert made["reading"]["problems"] == {"not JSON": 1}
    assert [site["leaks"] for site in made["sites"]] == [4]
