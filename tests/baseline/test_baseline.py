"""The baseline: what is known, what is new, what is fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import BaselineError, Frame
from httpguard._baseline.baseline import Baseline
from httpguard._baseline.file import Entry, Place, place_at
from httpguard._model.redaction import printable
from tests.program import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


def place(file: str | Path = "app.py", **changes: str) -> Place:
    fields = {"kind": "dropped", "function": "fetch", "source": "get(url)", **changes}
    return Place(filename=str(file), **fields)


def test_a_leak_is_known_after_its_line_has_moved(
    server: Server, guard: GuardControl, tmp_path: Path
) -> None:
    guard.install()

    def fetch() -> None:
        requests.get(server.url("/bytes/90000"), stream=True)

    fetch()
    (leak,) = httpguard.check().leaks
    file = tmp_path / "baseline.json"
    Baseline.of([leak], tmp_path).save(file)
    (entry,) = Baseline.load(file).entries
    assert entry.kind == "dropped"
    assert entry.function == "fetch"
    assert entry.source == 'requests.get(server.url("/bytes/90000"), stream=True)'
    site = replace(leak.site, lineno=leak.site.lineno + 7)
    moved = place_at("dropped", site, entry.source)
    same = Baseline.load(file).split([moved])
    assert (same.new, same.known, same.fixed) == ((), (moved,), ())
    changed = place_at("dropped", site, "requests.get(url, stream=True)")
    other = Baseline.load(file).split([changed])
    assert (other.new, other.known, other.fixed) == ((changed,), (), (entry,))


@pytest.mark.parametrize(
    "other",
    [
        place(kind="held"),
        place(function="fetch_all"),
        place(source="get(url, 1)"),
        place("other.py"),
        place("sub/app.py"),
    ],
)
def test_another_leak_is_new(
    other: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = Baseline.of([place()])
    assert known.split([place()]).new == ()
    assert known.split([other]).new == (other,)
    assert known.split([other]).fixed == known.entries


def test_files_are_named_the_same_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "ci").mkdir()
    venv = "/home/me/.venv/lib/python3.11"
    leaks = [
        place("src/app.py"),
        place(f"{venv}/site-packages/sdk/client.py"),
        place(f"{venv}/threading.py"),
        place("<stdin>"),
    ]
    Baseline.of(leaks).save("ci/known.json")
    known = Baseline.load("ci/known.json")
    assert [entry.file for entry in known.entries] == [
        "../src/app.py",
        "<stdin>",
        "python/threading.py",
        "site-packages/sdk/client.py",
    ]
    monkeypatch.chdir(tmp_path / "src")
    elsewhere = [
        place("app.py"),
        place("/srv/release-12/src/app.py"),
        place("/usr/lib/python3.13/site-packages/sdk/client.py"),
        place("/usr/lib/python3.13/threading.py"),
        place("<stdin>"),
    ]
    comparison = known.split(elsewhere)
    assert (comparison.new, comparison.fixed) == ((), ())
    other = place("/srv/release-12/other_src/app.py")
    assert known.split([other]).new == (other,)


def test_source_that_is_not_known_is_not_compared(tmp_path: Path) -> None:
    known = Baseline.of([place(tmp_path / "app.py")], tmp_path)
    assert known.split([place(tmp_path / "app.py", source="")]).new == ()


def test_a_long_line_is_known_however_it_is_cut(tmp_path: Path) -> None:
    line = f"get({'x' * 300})"
    write(tmp_path / "app.py", line)
    leak = place_at("dropped", Frame(str(tmp_path / "app.py"), 1, "fetch"))
    known = Baseline.of([leak], tmp_path)
    assert [len(entry.source) for entry in known.entries] == [200]
    shown = place(tmp_path / "app.py", source=printable(line, 200))
    other = place(tmp_path / "app.py", source=f"get({'x' * 190}y")
    comparison = known.split([leak, shown, other])
    assert comparison.new == (other,)


def test_links_to_directories_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "src").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    names = [tmp_path / folder / "src" / "app.py" for folder in ("real", "link")]
    for root in (tmp_path / "real", tmp_path / "link"):
        for name in names:
            (entry,) = Baseline.of([place(name)], root).entries
            assert entry.file == "src/app.py"


def test_a_directory_whose_name_begins_alike_is_another(tmp_path: Path) -> None:
    file = tmp_path / "src-old" / "app.py"
    (entry,) = Baseline.of([place(file)], tmp_path / "src").entries
    assert entry.file == file.as_posix()


def test_the_file_is_sorted_one_entry_a_line(tmp_path: Path) -> None:
    leaks = [
        place(tmp_path / "b.py"),
        place(tmp_path / "a.py", source='get("…")'),
        place(tmp_path / "b.py"),
    ]
    file = tmp_path / "known.json"
    Baseline.of(leaks, tmp_path).save(file)
    assert file.read_text("utf-8").splitlines() == [
        "{",
        '  "version": 1,',
        '  "leaks": [',
        (
            '    {"kind": "dropped", "file": "a.py", "function": "fetch",'
            ' "source": "get(\\"…\\")"},'
        ),
        (
            '    {"kind": "dropped", "file": "b.py", "function": "fetch",'
            ' "source": "get(url)"}'
        ),
        "  ]",
        "}",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["known.json"]


def test_notes_are_kept(tmp_path: Path) -> None:
    noted = Entry("app.py", "fetch", "get(url)", "dropped", note="ours to fix in May")
    known = Baseline([noted], str(tmp_path))
    merged = known.merged(Baseline.of([place(tmp_path / "app.py")], tmp_path))
    merged.save(tmp_path / "known.json")
    assert [e.note for e in Baseline.load(tmp_path / "known.json").entries] == [
        "ours to fix in May"
    ]


def test_the_one_of_two_entries_that_has_a_note_is_kept(tmp_path: Path) -> None:
    entry = Entry("app.py", "fetch", "get(url)", "dropped")
    noted = replace(entry, note="ours to fix in May")
    for entries in ((entry, noted), (noted, entry)):
        assert [e.note for e in Baseline(entries).entries] == [noted.note]


def test_every_entry_that_tolerates_a_leak_is_needed(tmp_path: Path) -> None:
    entries = [
        Entry("app.py", "fetch", source, "dropped") for source in ("", "get(url)")
    ]
    comparison = Baseline(entries, str(tmp_path)).split([place(tmp_path / "app.py")])
    assert (comparison.new, comparison.fixed) == ((), ())


def test_a_person_may_write_the_path_in_another_way(tmp_path: Path) -> None:
    known = Baseline([Entry("./a/../app.py", "fetch", "", "dropped")], str(tmp_path))
    assert known.split([place(tmp_path / "app.py")]).new == ()
    assert len(known.split([place(tmp_path / "a" / "app.py")]).new) == 1


def test_a_link_to_a_baseline_stays_one(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    link, file = tmp_path / "known.json", tmp_path / "shared" / "known.json"
    link.symlink_to(file)
    Baseline.of([place(tmp_path / "app.py")], tmp_path).save(link)
    assert link.is_symlink()
    assert [entry.file for entry in Baseline.load(link).entries] == ["app.py"]
    assert [path.name for path in file.parent.iterdir()] == ["known.json"]


def test_an_empty_one_is_written_and_read(tmp_path: Path) -> None:
    Baseline().save(tmp_path / "known.json")
    assert Baseline.load(tmp_path / "known.json").entries == ()


GOOD = {"kind": "held", "file": "a.py", "function": "f", "source": "x"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "known.json, line 1: no JSON"),
        ("[]", "known.json: no baseline, which is"),
        ('{"version": 2, "leaks": []}', "version 2 is not known"),
        ([GOOD, 5], "known.json, entry 2: 5 is no entry; accepted: texts called kind,"),
        ([GOOD, {"kind": "held"}], "known.json, entry 2: {'kind': 'held'} is no entry"),
        ([GOOD | {"line": "5"}], "'line': '5'} is no entry; accepted: texts called"),
        ([GOOD | {"kind": "lost"}], "kind is 'lost'; accepted: dropped, held"),
        ([GOOD | {"source": 5}], "'source': 5} is no entry"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    content: str | list[Any], message: str, tmp_path: Path
) -> None:
    if isinstance(content, list):
        entries = ",\n".join(map(json.dumps, content))
        content = f'{{"version": 1,\n"leaks":\n[\n{entries}\n]}}'
    file = write(tmp_path / "known.json", content)
    with pytest.raises(BaselineError) as caught:
        Baseline.load(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"cannot read the baseline .*none\.json"):
        Baseline.load(tmp_path / "none.json")
    with pytest.raises(BaselineError, match=r"cannot write the baseline .*x\.json"):
        Baseline().save(tmp_path / "none" / "x.json")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "known.json").mkdir()
    with pytest.raises(BaselineError, match=r"cannot write the baseline .*known"):
        Baseline().save(tmp_path / "known.json")
    # What UTF-8 has no bytes for.
    odd = Baseline.of([place(tmp_path / "app.py", source="get('\ud800')")], tmp_path)
    with pytest.raises(BaselineError, match=r"cannot write the baseline .*x\.json"):
        odd.save(tmp_path / "x.json")
    assert [path.name for path in tmp_path.iterdir()] == ["known.json"]


def test_the_line_is_read_where_the_leak_does_not_carry_it(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "first\nsecond  # here\n")
    leak = place_at("held", Frame(str(tmp_path / "app.py"), 2, "main"))
    assert leak == place(
        tmp_path / "app.py", kind="held", function="main", source="second  # here"
    )


def test_a_line_is_known_with_and_without_its_secrets(tmp_path: Path) -> None:
    line = 'get("http://host/p?token=secret", stream=True)'
    write(tmp_path / "app.py", line)
    leak = place_at("dropped", Frame(str(tmp_path / "app.py"), 1, "fetch"))
    known = Baseline.of([leak], tmp_path)
    assert [entry.source for entry in known.entries] == [line.replace("secret", "…")]
    older = Baseline.of([place(tmp_path / "app.py", source=line)], tmp_path)
    other = place(tmp_path / "app.py", source=line.replace("token", "key"))
    for baseline in (known, older):
        assert baseline.split([leak, other]).new == (other,)
