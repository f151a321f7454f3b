"""`httpguard baseline`, as a user types it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

APP = "def fetch():\n    get(1)\n    get(2)\n"


def leak(folder: Path, line: int, **changes: Any) -> dict[str, Any]:
    site = {"filename": str(folder / "app.py"), "lineno": line, "function": "fetch"}
    return {"event": "httpguard.leak", "kind": "dropped", "site": site, **changes}


def log(file: Path, *records: dict[str, Any] | str) -> Path:
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    text = "".join(f"{line}\n" for line in lines)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
        return file
    return write(file, text)


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return run("-m", "httpguard", "baseline", *arguments, **options)


def sources(file: Path) -> list[str]:
    return [entry["source"] for entry in json.loads(file.read_text("utf-8"))["leaks"]]


def test_a_baseline_grows_and_shrinks(tmp_path: Path) -> None:
    app = write(tmp_path / "app.py", APP)
    known = tmp_path / "known.json"
    first = log(tmp_path / "a.jsonl", leak(tmp_path, 2), leak(tmp_path, 2))
    summary = {"event": "httpguard.summary", "leaks": [leak(tmp_path, 3)]}
    second = log(tmp_path / "b.jsonl.gz", "INFO started", summary)

    made = command("update", known, first)
    assert made.stdout == f"1 known leak in {known}: 1 added, 0 taken out\n"
    assert sources(known) == ["get(1)"]
    command("update", known, second)
    assert sources(known) == ["get(1)", "get(2)"]
    pruned = command("update", "--prune", known, second)
    assert pruned.stdout == f"1 known leak in {known}: 0 added, 1 taken out\n"
    assert sources(known) == ["get(2)"]

    # The line moves, and then is repaired.
    write(app, "import http\n" + APP)
    assert "0 added, 0 taken out" in command("prune", known).stdout
    write(app, "def fetch():\n    pass\n")
    shown = command("show", known, env={"COLUMNS": "120"})
    assert "gone" in shown.stdout
    assert f"1 known leak in {known}, 1 of them gone" in shown.stdout
    tried = command("prune", "--dry-run", known)
    assert "- dropped app.py in fetch: get(2)\n" in tried.stdout
    assert sources(known) == ["get(2)"]
    command("prune", known)
    assert sources(known) == []


def test_baselines_are_merged(tmp_path: Path) -> None:
    write(tmp_path / "app.py", APP)
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    command("update", one, log(tmp_path / "a.jsonl", leak(tmp_path, 2)))
    command("update", two, log(tmp_path / "b.jsonl", leak(tmp_path, 3)))
    assert command("update", one, two).returncode == 0
    assert sources(one) == ["get(1)", "get(2)"]
    command("prune", one, two)
    assert sources(one) == ["get(2)"]


def test_one_source_that_has_a_leak_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "app.py", APP)
    known = tmp_path / "known.json"
    first = log(tmp_path / "a.jsonl", leak(tmp_path, 2))
    second = log(tmp_path / "b.jsonl", leak(tmp_path, 3))
    command("update", known, first, second)
    assert "0 taken out" in command("prune", known, first, second).stdout
    assert sources(known) == ["get(1)", "get(2)"]


def test_only_what_can_be_looked_for_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "app.py", APP)
    entry = {"kind": "dropped", "function": "fetch", "source": "get(1)"}
    files = {
        "site-packages/sdk/client.py": "get(1)",
        "python/threading.py": "get(1)",
        "<stdin>": "get(1)",
        "app.py": "",
        "removed.py": "get(1)",
    }
    entries = [{**entry, "file": file, "source": files[file]} for file in files]
    known = write(tmp_path / "known.json", json.dumps({"version": 1, "leaks": entries}))
    pruned = command("prune", known)
    assert "- dropped removed.py in fetch: get(1)\n" in pruned.stdout
    assert f"4 known leaks in {known}: 0 added, 1 taken out\n" in pruned.stdout


def test_structlogs_lines_and_standard_input(tmp_path: Path) -> None:
    app = write(tmp_path / "app.py", APP)
    line = json.dumps(leak(tmp_path, 2, site=f"{app}:3 in fetch", stack="text"))
    made = command("update", tmp_path / "k.json", "-", input=f"2026 INFO {line}\n")
    assert made.returncode == 0
    assert sources(tmp_path / "k.json") == ["get(2)"]


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "app.py", APP)
    records: list[dict[str, Any] | str] = [
        '{"event": "httpguard.leak", "ki',
        leak(tmp_path, 2, site="nowhere"),
        leak(tmp_path, 2),
        {"event": "listening for httpguard.leak", "site": "nowhere"},
    ]
    made = command("update", tmp_path / "k.json", log(tmp_path / "a.jsonl", *records))
    assert "a.jsonl: 2 damaged lines" in made.stderr
    assert sources(tmp_path / "k.json") == ["get(1)"]


@pytest.mark.parametrize("content", [b"", b"INFO started\n", b"\x00\xff\n"])
def test_a_file_without_a_line_of_ours_takes_nothing_out(
    content: bytes, tmp_path: Path
) -> None:
    write(tmp_path / "app.py", APP)
    known = tmp_path / "known.json"
    ours = log(tmp_path / "a.jsonl", leak(tmp_path, 2))
    assert command("update", known, ours).stderr == ""
    foreign = tmp_path / "other.log"
    foreign.write_bytes(content)
    for arguments in (
        ("prune", known, foreign),
        ("prune", known, ours, foreign),
        ("prune", "--dry-run", known, foreign),
        ("update", "--prune", known, foreign),
    ):
        failed = command(*arguments, env={"COLUMNS": "300"})
        assert failed.returncode == 2, arguments
        assert f"no line of httpguard in {foreign}: nothing was taken" in failed.stderr
        assert sources(known) == ["get(1)"]
    added = command("update", known, foreign)
    assert (added.returncode, added.stderr) == (
        0,
        f"no line of httpguard in {foreign}\n",
    )
    assert sources(known) == ["get(1)"]


@pytest.mark.parametrize(
    ("arguments", "argument", "message"),
    [
        (["show", "none.json"], "FILE", "cannot read the baseline none.json"),
        (["prune", "none.json"], "FILE", "cannot read the baseline none.json"),
        (["update", "k.json", "none.jsonl"], "SOURCE", "cannot read none.jsonl"),
        (["show", "bad.json"], "FILE", "bad.json: no baseline"),
        (["update", "k.json"], "SOURCE", "which file? Name it"),
    ],
)
def test_errors_of_use_name_the_argument(
    arguments: list[str], argument: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path / "bad.json", "[]")
    failed = command(*arguments, cwd=tmp_path, env={"COLUMNS": "200"})
    assert failed.returncode == 2
    text = " ".join(failed.stderr.replace("│", " ").split())
    assert argument in text
    assert message in text
