"""httpguard report: logs in, figures out, in every form."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from benchmarks import _fleet_logs, _plain
from httpguard._cli import app as _app
from httpguard._report import inputs as _inputs
from httpguard._report.github import escape, escape_property
from httpguard._report.terminal import sparkline
from tests.program import SESSIONS, line_of, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.server import Server

FETCH = {"filename": "/srv/app/views.py", "lineno": 12, "function": "fetch"}
STACK = [
    {"filename": "/srv/app/main.py", "lineno": 3, "function": "main"}
    | {"application": True},
    FETCH | {"application": True},
    {"filename": "/lib/requests/api.py", "lineno": 73, "function": "get"}
    | {"application": False},
]


def zstd(data: bytes) -> bytes:
    """Compressed as `zstd` does."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return bytes(pytest.importorskip(name).compress(data))


def leak(count: int = 1, **fields: Any) -> dict[str, Any]:
    """A line as the JSON lines destination writes it."""
    time = fields.pop("time", "2026-03-01T10:00:00.000000+00:00")
    return {
        "schema": 1,
        "timestamp": time,
        "level": "warning",
        "event": "httpguard.leak",
        "run": "aa",
        "pid": 7,
        "host": "node-1",
        "program": "worker",
        "kind": "dropped",
        "site": FETCH | {"application": True},
        "stack": STACK,
        "count": count,
        "resolved": 0,
        "method": "GET",
        "url": "http://api/items?token=…",
        "status": 200,
        "client": "requests",
        "pool": "http://api:80",
        "thread": "MainThread",
        "first_seen": "2026-03-01T09:00:00.000000+00:00",
        "last_seen": time,
        "age": 1.5,
        "idle": 1.25,
        "bytes_read": 0,
        "length": 900,
        "hint": "use with",
        "open_now": 1,
        "leaks_total": count,
        "context": {"request_id": "r-1"},
    } | fields


def summary(*leaks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    head = {key: leak()[key] for key in ("schema", "timestamp", "level", "run", "host")}
    return {**head, "event": "httpguard.summary", "leaks": list(leaks), **fields}


def log(path: Path, *lines: dict[str, Any] | str) -> str:
    """Write lines; gives the name."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return str(path)


def call(*arguments: str, stdin: bytes | None = None) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(_app.build(), ["report", *arguments], input=stdin)


def read(*arguments: str) -> dict[str, Any]:
    """What `--json` prints."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def only(*arguments: str) -> dict[str, Any]:
    """The one site that there is."""
    (site,) = read(*arguments)["sites"]
    return site  # type: ignore[no-any-return]


class TestCounting:
    def test_counts_are_cumulative_per_process_and_summed_over_them(
        self, tmp_path: Path
    ) -> None:
        first = log(tmp_path / "a", leak(1), leak(10), leak(2, run="bb", host="node-2"))
        again = log(tmp_path / "b", leak(10), leak(17), summary(leak(19)))
        site = only(first, again)
        assert (site["leaks"], site["processes"], site["most"]) == (21, 2, 19)
        assert site["hosts"] == 2
        assert site["events"] == 6
        assert site["programs"] == [{"name": "worker", "processes": 2, "leaks": 21}]

    def test_kinds_and_sites_are_told_apart(self, tmp_path: Path) -> None:
        other = FETCH | {"lineno": 13}
        named = log(tmp_path / "a", leak(3), leak(2, kind="held"), leak(1, site=other))
        found = {
            (site["kind"], site["lineno"]): site["leaks"]
            for site in read(named)["sites"]
        }
        assert found == {("dropped", 12): 3, ("held", 12): 2, ("dropped", 13): 1}

    def test_without_a_run_host_and_pid_tell_processes_apart(
        self, tmp_path: Path
    ) -> None:
        lines = [leak(4), leak(5), leak(1, pid=8)]
        for line in lines:
            del line["run"]
        site = only(log(tmp_path / "a", *lines))
        assert (site["leaks"], site["processes"]) == (6, 2)

    def test_without_either_a_file_is_a_process(self, tmp_path: Path) -> None:
        lines = [leak(4), leak(5)]
        for line in lines:
            del line["run"], line["pid"], line["host"]
        site = only(log(tmp_path / "a", *lines), log(tmp_path / "b", lines[0]))
        assert (site["leaks"], site["processes"], site["hosts"]) == (9, 2, 0)

    def test_resolved_ones_are_counted_and_weigh_one(self, tmp_path: Path) -> None:
        ended = leak(6, kind="held", resolved=2, event="httpguard.resolved")
        site = only(log(tmp_path / "a", leak(6, kind="held"), ended))
        assert (site["leaks"], site["resolved"]) == (6, 2)
        assert site["harm"] == 4 * 5 + 2

    def test_the_most_harmful_come_first(self, tmp_path: Path) -> None:
        lines = [
            leak(9, kind="dropped"),
            leak(1, kind="unreleased"),
            leak(3, kind="held"),
            leak(4, kind="open"),
        ]
        order = [
            (s["kind"], s["harm"]) for s in read(log(tmp_path / "a", *lines))["sites"]
        ]
        assert order == [("held", 15), ("unreleased", 10), ("dropped", 9), ("open", 8)]

    def test_trend_and_times(self, tmp_path: Path) -> None:
        at = "2026-03-0{}T{:02}:30:00.000000+00:00".format
        named = log(
            tmp_path / "a",
            leak(3, time=at(1, 10)),
            leak(4, time=at(1, 11)),
            leak(9, time=at(1, 13)),
            leak(5, run="bb", time=at(1, 13)),
        )
        site = only(named)
        assert site["trend"] == {
            "begin": "2026-03-01T10:30:00+00:00",
            "minutes": 5,
            "leaks": [3, *[0] * 11, 1, *[0] * 23, 10],
        }
        assert site["first_seen"] == "2026-03-01T09:00:00+00:00"
        assert site["last_seen"] == "2026-03-01T13:30:00+00:00"

    def test_a_long_time_has_longer_spans(self, tmp_path: Path) -> None:
        named = log(
            tmp_path / "a",
            leak(1, time="2026-01-01T00:00:00+00:00"),
            leak(5, time="2026-02-10T00:00:00+00:00"),
        )
        trend = only(named)["trend"]
        assert trend["minutes"] == 24 * 60
        assert (sum(trend["leaks"]), len(trend["leaks"])) == (5, 41)

    def test_an_hour_is_told_by_the_minute(self, tmp_path: Path) -> None:
        at = "2026-03-01T10:{:02}:30+00:00".format
        lines = [leak(1 + n, time=at(n)) for n in range(60)]
        assert only(log(tmp_path / "a", *lines))["trend"] == {
            "begin": "2026-03-01T10:00:00+00:00",
            "minutes": 1,
            "leaks": [1] * 60,
        }

    def test_of_many_minutes_the_hours_are_kept(self, tmp_path: Path) -> None:
        at = "2026-03-01T{:02}:{:02}:30+00:00".format
        lines = [leak(1 + n, time=at(10 + n // 60, n % 60)) for n in range(100)]
        trend = only(log(tmp_path / "a", *lines))["trend"]
        assert (trend["minutes"], trend["leaks"]) == (60, [60, 40])

    def test_since_counts_what_was_added(self, tmp_path: Path) -> None:
        before, after = "2026-03-01T10:59:59+00:00", "2026-03-01T11:00:00+00:00"
        named = log(
            tmp_path / "a",
            leak(7, time=before),
            leak(9, time=after),
            leak(3, time=before, kind="held"),
        )
        site = only(named, "--since", "2026-03-01T12:00+01:00")
        assert (site["kind"], site["leaks"]) == ("dropped", 2)
        assert read(named, "--since", "2026-03-02")["sites"] == []
        assert len(read(named, "--since", "99999d")["sites"]) == 2
        again = log(tmp_path / "b", leak(7, time=before), leak(7, time=after))
        assert read(again, "--since", after)["sites"] == []

    def test_since_counts_what_ended_well_since(self, tmp_path: Path) -> None:
        before, after = "2026-03-01T10:59:59+00:00", "2026-03-01T11:00:00+00:00"
        lines = [
            leak(6, kind="held", resolved=2, time=before, url="http://early/"),
            leak(7, kind="held", resolved=5, time=after, url="http://late/"),
        ]
        del lines[1]["stack"]
        named = log(tmp_path / "a", *lines)
        site = only(named, "--since", after)
        assert (site["leaks"], site["resolved"]) == (1, 3)
        # More of them have ended than have come.
        assert site["harm"] == 1
        assert site["example"]["url"] == "http://late/"

    @pytest.mark.skipif(not hasattr(time, "tzset"), reason="sets the time zone")
    def test_since_is_utc_where_it_does_not_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        try:
            named = log(tmp_path / "a", leak(7, time="2026-03-01T10:30:00+00:00"))
            assert len(read(named, "--since", "2026-03-01T10:30")["sites"]) == 1
            assert read(named, "--since", "2026-03-01T10:31")["sites"] == []
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_lines_out_of_order_take_nothing_away(self, tmp_path: Path) -> None:
        at = "2026-03-01T{}:30:00+00:00".format
        lines = [leak(n, time=at(hour)) for n, hour in ((9, 10), (7, 11), (10, 12))]
        site = only(log(tmp_path / "a", *reversed(lines)))
        assert site["leaks"] == 10
        assert [number for number in site["trend"]["leaks"] if number] == [9, 1]

    def test_the_most_leaking_program_comes_first(self, tmp_path: Path) -> None:
        lines = [leak(3), leak(5, run="bb", program="web"), leak(4, run="cc")]
        site = only(log(tmp_path / "a", *lines))
        assert [(one["name"], one["leaks"]) for one in site["programs"]] == [
            ("worker", 7),
            ("web", 5),
        ]

    def test_a_fleet_as_a_plain_loop_counts_it(self, tmp_path: Path) -> None:
        path = tmp_path / "fleet"
        _fleet_logs.write(path, 6000, 0.6)
        with path.open(encoding="utf-8") as lines:
            expected, damaged = _plain.leaks_by_site(lines)
        made = read(str(path))
        found = {
            (s["kind"], s["filename"], s["lineno"], s["function"]): (
                s["leaks"],
                s["processes"],
            )
            for s in made["sites"]
        }
        assert found == expected
        assert len(found) > 100
        assert sum(made["reading"]["problems"].values()) == damaged
        assert made["reading"]["lines"] == 6000


SITE = "/srv/app/views.py:12 in fetch"
TEXT = (
    "leak dropped /srv/app/views.py:12 in fetch · 1,234 times"
    " · GET http://api/items?token=… · 200"
    " · opened by thread MainThread 1.2 s ago · 0 of 900 bytes read · fix: use with"
)
LINES = """\
leak dropped /srv/app/views.py:12 in fetch · 1,234 times \
· GET http://api/items?token=… · 200
  opened by thread MainThread 1.2 s ago · 0 of 900 bytes read
  fix: use with
  > /srv/app/views.py:12 in fetch
        x = get()
    … 3 frames: requests"""
SUMMARY = (
    "  > 1,234 dropped at /srv/app/views.py:12 in fetch, 3 resolved"
    " · GET http://api/items?token=… · fix: use with"
)
RESOLVED = (
    "resolved dropped /srv/app/views.py:12 in fetch · GET http://api/items?token=…"
    " · ended well after all, 3 of 1234 so far"
)
LIKE_STRUCTLOG = leak(1234, site=SITE, stack=f"  > {SITE}\n        x = get()")


SESSION = (
    "leak session /srv/app/views.py:12 in fetch · 1,234 times · {} · to http://api:80"
    " · made by thread MainThread 1.2 s ago · fix: use with"
)


class TestForms:
    @pytest.mark.parametrize(
        "line",
        [
            leak(1234, kind="session", method="", url="", status=0),
            SESSION.format("collected with 2 open connections and never closed"),
            SESSION.format("1,300 sessions made here keep 1 open connection"),
            (
                "  > 1,234 session at /srv/app/views.py:12 in fetch · http://api:80"
                " · fix: use with"
            ),
            (
                "resolved session /srv/app/views.py:12 in fetch · http://api:80"
                " · ended well after all, 3 of 1234 so far"
            ),
        ],
    )
    def test_sessions_are_read(
        self, line: dict[str, Any] | str, tmp_path: Path
    ) -> None:
        site = only(log(tmp_path / "a", line))
        assert (site["kind"], site["leaks"]) == ("session", 1234)
        assert (site["filename"], site["lineno"]) == ("/srv/app/views.py", 12)

    @pytest.mark.parametrize(
        "line",
        [
            leak(1234),
            LIKE_STRUCTLOG,
            f"2026-03-01 10:00:00,123 WARNING {json.dumps(leak(1234))}",
            f"2026-03-01T10:00:00Z stdout F {json.dumps(leak(1234))}",
            {"log": json.dumps(leak(1234)) + "\n", "stream": "stdout", "time": "x"},
            {"log": f"WARNING {json.dumps(LIKE_STRUCTLOG)}\n"},
            {k: v for k, v in leak(1234).items() if k != "event"}
            | {"message": "httpguard.leak"},
            json.dumps(leak(1234), ensure_ascii=False),
            summary(leak(1234)),
            summary(
                {"kind": "dropped", "site": SITE, "count": 1234, "hint": "use with"}
            ),
            f"WARNING:httpguard:{TEXT}",
            f"2026-03-01 10:00:00,123 WARNING {TEXT}",
            f"WARNING:httpguard:{LINES}",
            f"2026-03-01 10:00:00,123 WARNING {LINES}",
            {"message": LINES, "levelname": "WARNING"},
            SUMMARY,
            RESOLVED,
            {"message": TEXT, "levelname": "WARNING"},
            {"event": TEXT, "timestamp": "2026-03-01T10:00:00Z"},
        ],
    )
    def test_each_is_read(self, line: dict[str, Any] | str, tmp_path: Path) -> None:
        noise = ("", "INFO handled", '{"event": "handled", "n": 1}', "fix: nothing")
        made = read(log(tmp_path / "a", *noise, line, *noise))
        (site,) = made["sites"]
        assert (site["kind"], site["filename"]) == ("dropped", "/srv/app/views.py")
        assert (site["lineno"], site["function"]) == (12, "fetch")
        assert site["leaks"] == 1234
        assert made["reading"]["problems"] == {}
        more = line.count("\n") if isinstance(line, str) else 0
        assert made["reading"]["lines"] == 9 + more
        if line != RESOLVED:
            assert site["example"]["hint"] == "use with"

    @pytest.mark.parametrize(
        "line",
        [
            f"2026-03-01 10:00:00,25 W {TEXT}",
            {"msg": TEXT, "ts": "2026-03-01T12:00:00.25+02:00"},
        ],
    )
    def test_times_of_text(self, line: dict[str, Any] | str, tmp_path: Path) -> None:
        site = only(log(tmp_path / "a", line))
        assert site["last_seen"] == "2026-03-01T10:00:00.250000+00:00"
        assert only(log(tmp_path / "b", TEXT))["last_seen"] is None

    def test_what_is_not_ours_is_left_alone(self, tmp_path: Path) -> None:
        made = read(
            log(
                tmp_path / "a",
                'INFO loading "httpguard.leak" handlers',
                '{"event": "start", "logger": "httpguard.thing"}',
                "ok } {",
                "a leak was found, fix: soon",
            )
        )
        assert made["sites"] == []
        assert made["reading"]["problems"] == {}

    def test_other_events_are_counted(self, tmp_path: Path) -> None:
        starved = {"schema": 1, "event": "httpguard.pool_starved", "pool": "x"}
        crowd = {"event": "httpguard.too_many_open", "sites": [SITE], "max_open": 5}
        made = read(log(tmp_path / "a", starved, crowd, crowd, leak()))
        assert made["reading"]["events"] == {
            "httpguard.leak": 1,
            "httpguard.pool_starved": 1,
            "httpguard.too_many_open": 2,
        }

    def test_the_example_is_the_latest_with_a_stack(self, tmp_path: Path) -> None:
        late, later = "2026-03-01T11:00:00+00:00", "2026-03-01T12:00:00+00:00"
        bare = {"kind": "dropped", "site": SITE, "count": 9}
        named = log(
            tmp_path / "a",
            leak(2, time=late, url="http://late/"),
            leak(1, url="http://early/"),
            summary(bare, timestamp=later),
        )
        example = only(named)["example"]
        assert example["url"] == "http://late/"
        fields = dict(example["fields"])
        assert (fields["program"], fields["request_id"]) == ("worker", "r-1")
        assert [step["function"] for step in example["stack"]] == [
            "main",
            "fetch",
            "get",
        ]

    def test_a_long_stack_keeps_its_innermost_frames(self, tmp_path: Path) -> None:
        frames = [FETCH | {"lineno": n, "application": True} for n in range(1, 100)]
        steps = only(log(tmp_path / "a", leak(stack=frames)))["example"]["stack"]
        assert [step["lineno"] for step in steps] == list(range(36, 100))

    def test_source_lines_come_from_the_log_or_from_python_files(
        self, tmp_path: Path
    ) -> None:
        code = tmp_path / "code.py"
        code.write_text("one\n  two()\n")
        secret = tmp_path / "secret.txt"
        secret.write_text("one\ntwo\n")
        frames = [
            {"filename": str(name), "lineno": 2, "function": "f", "application": True}
            for name in (code, secret)
        ]
        steps = only(log(tmp_path / "a", leak(stack=frames)))["example"]["stack"]
        assert [step["source"] for step in steps] == ["two()", ""]
        steps = only(log(tmp_path / "b", LIKE_STRUCTLOG))["example"]["stack"]
        assert [(s["lineno"], s["source"]) for s in steps] == [(12, "x = get()")]


class TestInputs:
    def test_compressed_ones_are_known_by_their_content(self, tmp_path: Path) -> None:
        text = json.dumps(leak(5)).encode() + b"\n"
        (tmp_path / "a.log.gz").write_bytes(gzip.compress(text))
        (tmp_path / "b.log.zst").write_bytes(zstd(text))
        (tmp_path / "c.log.1").write_bytes(gzip.compress(text) + gzip.compress(text))
        for name in os.listdir(tmp_path):
            made = read(str(tmp_path / name))
            assert made["sites"][0]["leaks"] == 5, name
            assert made["reading"]["lines"] == 1 + (name == "c.log.1")

    @pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
    def test_how_far_it_is_read_is_shown_on_a_terminal(
        self, pack: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.log"
        path.write_bytes(pack(json.dumps(leak(5)).encode() + b"\n"))
        ours, theirs = os.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "httpguard", "report", str(path), "--json"],
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=150,
            check=True,
        )
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        assert "reading" in shown
        assert "100%" in shown
        assert json.loads(done.stdout)["leaks"] == 5

    @pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
    def test_standard_input(self, pack: Any) -> None:
        text = pack(json.dumps(leak(5)).encode())
        done = _piped("-", "--json", stdin=text)
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        assert (made["leaks"], made["reading"]["files"]) == (5, ["<stdin>"])

    def test_an_empty_file(self, tmp_path: Path) -> None:
        done = call(log(tmp_path / "a"))
        assert (done.exit_code, done.stderr) == (0, "")
        assert "no leaks; read 0 lines of 1 file" in done.stdout

    def test_line_ends_of_windows(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        text = "\r\n".join([json.dumps(leak(5)), TEXT, '{"cut', ""])
        path.write_bytes(text.encode())
        made = read(str(path))
        assert made["leaks"] == 5 + 1234
        assert made["reading"]["problems"] == {"cut short": 1}

    def test_damaged_lines_are_counted_and_named(self, tmp_path: Path) -> None:
        whole = json.dumps(leak(5))
        named = log(
            tmp_path / "a.log",
            whole,
            whole[:300],
            whole[:20],
            whole[:250] + whole,
            leak(5, schema=2),
            {"event": "httpguard.leak", "kind": "held"},
            whole,
        )
        made = read(named)
        assert made["leaks"] == 5
        assert made["reading"]["problems"] == {
            "cut short": 1,
            "not JSON": 2,
            "of a newer schema": 1,
            "without kind or site": 1,
        }
        lines = [(one["file"], one["number"]) for one in made["reading"]["damaged"]]
        assert lines == [(named, number) for number in range(2, 7)]
        done = call(named)
        assert done.exit_code == 0
        assert f"{named}:2: not JSON" in done.stdout.replace("\n", "")
        assert "1 damaged line: cut short" in done.stdout

    def test_twenty_damaged_lines_are_named(self, tmp_path: Path) -> None:
        files = [log(tmp_path / name, *['{"cut'] * 15) for name in "ab"]
        made = read(*files)
        assert made["reading"]["problems"] == {"cut short": 30}
        named = [(one["file"], one["number"]) for one in made["reading"]["damaged"]]
        assert named == [(files[0], n + 1) for n in range(15)] + [
            (files[1], n + 1) for n in range(5)
        ]

    def test_a_file_that_is_named_twice_is_read_once(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak(5))
        reading = read(named, named)["reading"]
        assert (reading["files"], reading["lines"]) == ([named], 1)

    @pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="needs /dev/stdin")
    def test_what_can_be_read_only_once(self) -> None:
        done = _piped("/dev/stdin", "--json", stdin=json.dumps(leak(5)).encode())
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["leaks"] == 5

    def test_a_line_without_end_is_cut(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_inputs, "_LONGEST_LINE", 2000)
        made = read(log(tmp_path / "a", "x" * 4500, leak(5)))
        assert (made["leaks"], made["reading"]["lines"]) == (5, 4)

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        line = json.dumps(leak(5, url="http://x/CAFE")).encode()
        path.write_bytes(
            b"\xff\xfe\x00 \x80\n" + line.replace(b"CAFE", b"caf\xe9") + b"\n"
        )
        site = only(str(path))
        assert site["leaks"] == 5
        assert site["example"]["url"] == "http://x/caf\ufffd"

    @pytest.mark.parametrize("pack", [gzip.compress, zstd])
    def test_compressed_data_that_ends_early(self, pack: Any, tmp_path: Path) -> None:
        lines = "".join(
            json.dumps(leak(n, run=os.urandom(8).hex())) + "\n" for n in range(1, 3000)
        )
        whole = pack(lines.encode())
        path = tmp_path / "a"
        path.write_bytes(whole[: len(whole) // 2] + b"\0" * 100)
        made = read(str(path))
        assert 100 < made["reading"]["lines"] < 3000
        (problem,) = (p for p in made["reading"]["problems"] if "decompress" in p)
        assert made["reading"]["problems"][problem] == 1

    def test_parquet_is_named_and_what_to_do(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
        done = call(str(path))
        assert done.exit_code == 2
        assert "is Parquet" in re.sub(r"[\s│]+", " ", done.stderr)


def _piped(*arguments: str, stdin: bytes) -> Any:
    """The command in a process of its own, with something on its standard input."""
    import subprocess

    return subprocess.run(
        [sys.executable, "-m", "httpguard.cli", "report", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=600,
    )


class TestUse:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ([], "FILE..."),
            (["{missing}"], "No such file"),
            (["{folder}"], "Is a directory"),
            (["{log}", "--since", "yesterday"], "'yesterday' is no time"),
            (["{log}", "--since", "2026-13-01"], "--since"),
            (["{log}", "--kind", "lost"], "'lost'"),
            (["{log}", "--format", "xml"], "'xml'"),
            (["{log}", "--engine", "dask"], "'dask'"),
            (["{log}", "--top", "-1"], "--top"),
            (["{log}", "--html", "{folder}"], "--html"),
            (["{log}", "--sarif", "{missing}/x"], "--sarif"),
            (["{log}", "--baseline", "{missing}"], "--baseline"),
        ],
    )
    def test_errors_name_the_argument(
        self, arguments: list[str], named: str, tmp_path: Path
    ) -> None:
        places = {
            "missing": str(tmp_path / "missing"),
            "folder": str(tmp_path),
            "log": log(tmp_path / "a", leak()),
        }
        done = call(*(argument.format(**places) for argument in arguments))
        assert done.exit_code == 2
        assert named in re.sub(r"[\s│]+", " ", done.stderr)

    def test_fail(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak())
        assert call(named, "--fail").exit_code == 23
        assert call(named, "--fail", "--kind", "held").exit_code == 0

    def test_kind_and_site(self, tmp_path: Path) -> None:
        other = FETCH | {"filename": "/srv/app/orders/api.py"}
        named = log(tmp_path / "a", leak(), leak(kind="held"), leak(site=other))

        def count(*options: str) -> int:
            made = read(named, *options)
            assert made["hidden"] == 3 - len(made["sites"])
            return len(made["sites"])

        assert count("--kind", "held") == 1
        assert count("--kind", "held", "--kind", "dropped") == 3
        assert count("--site", "views.py") == 2
        assert count("--site", "*/orders/*") == 1
        assert count("--site", "* in fetch") == 3
        assert count("--site", "views.py:12", "--site", "api.py:99") == 2
        assert count("--site", "*.txt") == 0

    def test_a_baseline(self, tmp_path: Path) -> None:
        entries = [
            {"kind": "dropped", "file": "views.py", "function": "fetch", "source": ""},
            {"kind": "open", "file": "gone.py", "function": "f", "source": "g()"},
        ]
        known = tmp_path / "known.json"
        known.write_text(json.dumps({"version": 1, "leaks": entries}))
        named = log(tmp_path / "a", leak(), leak(kind="held"))
        made = read(named, "--baseline", str(known))
        assert [site["kind"] for site in made["sites"]] == ["held"]
        assert [site["kind"] for site in made["known"]] == ["dropped"]
        assert made["fixed"] == ["open gone.py in f: g()"]
        done = call(named, "--baseline", str(known), "--kind", "dropped", "--fail")
        assert done.exit_code == 0
        assert "1 more that the baseline tolerates" in done.stdout


class TestOutput:
    def test_text(self, tmp_path: Path) -> None:
        text = call(log(tmp_path / "a", leak(3)), "--root", "/srv/app").stdout
        flat = " ".join(text.split())
        assert "1. dropped views.py:12 in fetch" in flat
        assert "3 leaks in 1 process, at most 3 in one · harm 3" in flat
        assert "worker (3) · 1 host · 1 line of the log" in flat
        assert "GET http://api/items?token=…" in flat
        assert (
            "> main.py:3 in main > views.py:12 in fetch /lib/requests/api.py:73" in flat
        )
        assert "fix: use with" in flat
        assert "3 leaks at 1 site; read 1 line of 1 file" in flat

    def test_top(self, tmp_path: Path) -> None:
        lines = [leak(n, site=FETCH | {"lineno": n}) for n in range(1, 6)]
        text = call(log(tmp_path / "a", *lines), "--top", "2").stdout
        assert "… and 3 more; `--top 0` shows all." in text
        assert "views.py:4" in text
        assert "views.py:3" not in text
        every = call(log(tmp_path / "a", *lines), "--top", "0").stdout
        assert all(f"views.py:{n} in fetch" in every for n in range(1, 6))

    @pytest.mark.parametrize(
        ("numbers", "bars"),
        [((), ""), ((0, 1, 4, 8), " ▁▄█"), ((5,), "█"), ((1, 0, 0, 1) * 12, "█" * 24)],
    )
    def test_sparkline(self, numbers: tuple[int, ...], bars: str) -> None:
        if len(numbers) > 24:
            numbers = tuple(1 for _ in numbers)
        assert sparkline(numbers) == bars

    def test_no_control_character_of_a_log_reaches_the_terminal(
        self, tmp_path: Path
    ) -> None:
        bad = "\x1b[2J\u202e\n[red]"
        lines = [
            leak(site=FETCH | {"filename": f"/x{bad}.py"}, kind=f"held{bad}"),
            leak(url=bad, hint=bad, program=bad, context={bad: bad}),
        ]
        text = call(log(tmp_path / "a", *lines)).stdout
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[red]" in text

    def test_html_is_one_page_with_everything_escaped(self, tmp_path: Path) -> None:
        bad = "<script>alert('\"&')</script>"
        page = tmp_path / "page.html"
        frames = [FETCH | {"function": bad, "source": bad, "application": True}]
        named = log(
            tmp_path / "a",
            leak(3, url=bad, hint=bad, stack=frames, program=bad, context={bad: bad}),
            '{"cut',
        )
        assert call(named, "--html", str(page)).exit_code == 0
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert text.count("&lt;script&gt;") >= 6
        assert not re.search(r"(src|href)=\"(?!#)", text)
        assert "prefers-color-scheme: dark" in text
        assert "1: cut short" in text
        assert '<p class="verdict">The worst is <code>' in text
        assert "httpguard explain HG101" in text
        assert '<rect x="0.0" y="0.0"' in text

    def test_html_folds_the_frames_of_libraries(self, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        library = {"filename": "/lib/requests/api.py", "lineno": 1, "function": "get"}
        frames = [library] * 3 + [FETCH | {"application": True}] + [library] * 3
        call(log(tmp_path / "a", leak(stack=frames)), "--html", str(page))
        text = page.read_text(encoding="utf-8")
        (stack,) = re.findall(r'<div class="stack">(.*?)</div>', text, re.DOTALL)
        assert re.findall(r"<summary>(.*?)</summary>", stack) == [
            "… 3 frames of libraries",
            "… 2 frames of libraries",
        ]
        shown = re.sub(r"<details.*?</details>", "", stack, flags=re.DOTALL)
        assert re.findall(r"(\w+\.py):", shown) == ["views.py", "api.py"]
        assert len(re.findall(r"\w+\.py:", stack)) == 7

    def test_sarif(self, tmp_path: Path) -> None:
        path = tmp_path / "x.sarif"
        named = log(tmp_path / "a", leak(3), leak(2, kind="unreleased"), '{"cut')
        done = call(named, "--sarif", str(path), "--root", "/srv/app")
        assert done.exit_code == 0
        sarif = json.loads(path.read_text())
        assert sarif["version"] == "2.1.0"
        (ran,) = sarif["runs"]
        rules = [rule["id"] for rule in ran["tool"]["driver"]["rules"]]
        assert [r["ruleId"] for r in ran["results"]] == [
            "HG103",
            "HG101",
        ]
        for result in ran["results"]:
            assert rules[result["ruleIndex"]] == result["ruleId"]
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"] == {
                "uri": "views.py",
                "uriBaseId": "%SRCROOT%",
            }
            assert place["region"] == {"startLine": 12}
            innermost = result["stacks"][0]["frames"][0]["location"]
            uri = innermost["physicalLocation"]["artifactLocation"]["uri"]
            assert uri == "file:///lib/requests/api.py"
        assert [r["level"] for r in ran["results"]] == ["error", "warning"]
        assert ran["results"][1]["occurrenceCount"] == 3
        notes = ran["invocations"][0]["toolExecutionNotifications"]
        assert [note["message"]["text"] for note in notes] == [
            f"damaged line: {named}:3: cut short"
        ]

    def test_a_finding_stays_the_same_when_lines_move(self, tmp_path: Path) -> None:
        def fingerprints(root: str, *lines: dict[str, Any]) -> list[str]:
            path = tmp_path / "x.sarif"
            call(log(tmp_path / "a", *lines), "--sarif", str(path), "--root", root)
            results = json.loads(path.read_text())["runs"][0]["results"]
            return [it["partialFingerprints"]["httpguardSite/v1"] for it in results]

        moved = FETCH | {"filename": "/home/me/views.py", "lineno": 99}
        (first,) = fingerprints("/srv/app", leak())
        assert fingerprints("/home/me", leak(site=moved)) == [first]
        for other in (
            leak(kind="held"),
            leak(site=FETCH | {"function": "f"}),
            leak(site=FETCH | {"filename": "/srv/app/api.py"}),
        ):
            assert fingerprints("/srv/app", other) != [first]

    def test_a_site_whose_line_is_not_known(self, tmp_path: Path) -> None:
        path = tmp_path / "x.sarif"
        named = log(tmp_path / "a", leak(site={"filename": "/srv/app/views.py"}))
        done = call(
            *(named, "--format", "github", "--sarif", str(path), "--root", "/srv/app")
        )
        assert done.stdout.startswith("::warning file=views.py,title=")
        (result,) = json.loads(path.read_text())["runs"][0]["results"]
        assert result["locations"] == [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "views.py", "uriBaseId": "%SRCROOT%"}
                }
            }
        ]

    def test_github(self, tmp_path: Path) -> None:
        named = log(tmp_path / "a", leak(3, hint="50% of\nit"), '{"cut')
        done = call(named, "--format", "github", "--root", "/srv/app")
        warning, notice = done.stdout.splitlines()
        assert warning == (
            "::warning file=views.py,line=12,title=httpguard%3A dropped response::"
            "3 responses opened here were never given back (dropped; 1 process)."
            " For example GET http://api/items?token=…. Fix: 50%25 of\\nit."
        )
        assert notice == "::notice title=httpguard%3A damaged lines::1 cut short"
        assert escape("a%\r\n:,") == "a%25%0D%0A:,"
        assert escape_property("a%\r\n:,") == "a%25%0D%0A%3A%2C"

    def test_sessions_are_no_responses(self, tmp_path: Path) -> None:
        path = tmp_path / "x.sarif"
        session = leak(2, kind="session", method="", url="", hint="close it")
        named = log(tmp_path / "a", session, leak(run="bb", kind="held"))
        done = call(named, "--format", "github", "--sarif", str(path))
        assert [line.partition("title=")[2] for line in done.stdout.splitlines()] == [
            (
                "httpguard%3A held response::A response opened here was never given"
                " back (held). For example GET http://api/items?token=…. Fix: use with."
            ),
            (
                "httpguard%3A leaked session::2 sessions made here were never closed"
                " (session; 1 process). Fix: close it."
            ),
        ]
        (ran,) = json.loads(path.read_text())["runs"]
        rules = ran["tool"]["driver"]["rules"]
        names = [rules[result["ruleIndex"]]["name"] for result in ran["results"]]
        assert names == ["HeldResponse", "LeakedSession"]


LEAKY = """
import sys, structlog
structlog.configure(processors=[
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.JSONRenderer(),
], logger_factory=structlog.PrintLoggerFactory())
import httpguard; httpguard.install(check_interval=0)
import requests
def fetch():
    return requests.get(sys.argv[1], stream=True).status_code  # LEAK
for _ in range(7):
    fetch()
httpguard.check()
"""


def test_a_real_program_with_structlog(server: Server, tmp_path: Path) -> None:
    app = write(tmp_path / "app.py", LEAKY)
    done = run(app, server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    site = only(log(tmp_path / "log", "starting", done.stdout))
    assert (site["kind"], site["leaks"], site["processes"]) == ("dropped", 7, 1)
    assert site["filename"] == str(app)
    assert site["lineno"] == line_of(LEAKY, "# LEAK")
    own = [step for step in site["example"]["stack"] if step["application"]]
    assert own[-1]["source"].endswith("# LEAK")


def test_the_log_of_real_processes(server: Server, tmp_path: Path) -> None:
    head, _, rest = LEAKY.partition("structlog.configure")
    source = head + rest[rest.index("import httpguard") :]
    app = write(tmp_path / "app.py", source)
    named = tmp_path / "leaks.jsonl"
    for _ in range(3):
        done = run(app, server.url("/bytes/90000"), env={"HTTPGUARD_LOG": str(named)})
        assert done.returncode == 0, done.stderr
    made = read(str(named))
    (site,) = made["sites"]
    assert (site["kind"], site["leaks"], site["processes"]) == ("dropped", 21, 3)
    assert (site["filename"], site["lineno"]) == (str(app), line_of(source, "# LEAK"))
    assert site["programs"] == [{"name": "app.py", "processes": 3, "leaks": 21}]
    assert site["example"]["stack"][-1]["source"]
    assert made["reading"]["events"]["httpguard.summary"] == 3


def test_a_real_program_with_plain_logging(server: Server, tmp_path: Path) -> None:
    head, _, rest = LEAKY.partition("structlog.configure")
    source = head + rest[rest.index("import httpguard") :]
    app = write(tmp_path / "app.py", source)
    done = run(app, server.url("/bytes/90000"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    site = only(log(tmp_path / "log", done.stderr))
    assert (site["kind"], site["leaks"]) == ("dropped", 7)
    assert (site["filename"], site["lineno"]) == ("app.py", line_of(source, "# LEAK"))
    assert site["example"]["hint"].startswith("open it with")


def test_a_real_program_that_leaks_sessions(server: Server, tmp_path: Path) -> None:
    install = "import httpguard; httpguard.install(max_sessions=1, max_idle=0)"
    source = f"{install}{SESSIONS}httpguard.check()\n"
    app = write(tmp_path / "app.py", source)
    done = run(app, server.url("/bytes/10"), "7", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    site = only(log(tmp_path / "log", done.stderr))
    assert (site["kind"], site["leaks"]) == ("session", 7)
    assert site["lineno"] == line_of(source, "# LEAK")
    assert site["example"]["hint"].startswith("make one Session")


@pytest.mark.skipif(
    "HTTPGUARD_TEST_SPARK" not in os.environ,
    reason="HTTPGUARD_TEST_SPARK names no master",
)
def test_spark_finds_the_same(tmp_path: Path) -> None:
    master = os.environ["HTTPGUARD_TEST_SPARK"]
    path = tmp_path / "fleet"
    _fleet_logs.write(path, 3000, 0.7)
    other = log(
        tmp_path / "a",
        f"2026-03-01 10:00:00,123 WARNING {TEXT}",
        SUMMARY,
        {"log": json.dumps(leak(5)) + "\n"},
        LIKE_STRUCTLOG,
        summary(leak(40, run="zz"), run="zz"),
        leak(3, schema=2),
        '{"cut',
    )
    packed = tmp_path / "c.gz"
    lines = "".join(json.dumps(leak(n, run=f"p{n}")) + "\n" for n in range(1, 9))
    packed.write_bytes(gzip.compress(lines.encode()))
    files = [str(path), other, str(packed)]
    for options in ([], ["--since", "2026-03-03T04:05"]):
        spark = _piped(
            *files,
            *options,
            "--json",
            "--engine",
            "spark",
            "--master",
            master,
            stdin=b"",
        )
        assert spark.returncode == 0, spark.stderr
        there, here = json.loads(spark.stdout), read(*files, *options)
        assert there["sites"] == here["sites"]
        assert len(there["sites"]) > 100
        for name in ("lines", "events", "problems"):
            assert there["reading"][name] == here["reading"][name]
