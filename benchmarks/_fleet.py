"""What a fleet gives its Prometheus: series, bytes, memory and disk.

One process's scrape is the real one, after it has made its leaks. A real Prometheus
then scrapes many copies of it, to see what a series costs in memory, and promtool
writes a day of one process's samples, to see what a sample costs on disk.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

import httpguard
from tests.metrics.observed import prometheus, scraping, total

from ._calls import memory_client
from ._open import logged
from ._output import console
from ._sites import make_sites
from ._stacks import at_depth
from ._variants import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESSES: Final = 10_000
_SITES: Final = (0, 5, 100)
_TYPICAL: Final = 5
_POOLS: Final = 5
_INTERVALS: Final = (15, 60)
_DAY: Final = 86_400
_STEP: Final = 15
_TARGET_INTERVAL: Final = 5
_MEBI: Final = 2**20
_GIBI: Final = 2**30
_SAMPLE: Final = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


def measure_fleet(targets: int) -> dict[str, Any]:
    """Measure one process and what it costs, and multiply.

    Args:
        targets: How many copies the real Prometheus scrapes.
    """
    scrapes = {sites: _scrape(sites) for sites in _SITES}
    memory = _memory(scrapes[_TYPICAL], targets)
    disk = _disk(scrapes[_TYPICAL])
    rows = [
        _row(sites, scrapes[sites], interval, memory["bytes a series"], disk)
        for sites in _SITES
        for interval in _INTERVALS
    ]
    _print(rows)
    console.print(
        f"{memory['bytes a series']:,.0f} bytes of memory a series, with"
        f" {memory['series']:,.0f} series of {targets:,} targets; {disk:.2f} bytes of"
        " disk a sample"
    )
    return {"rows": rows, "memory": memory, "disk": disk}


def _scrape(leaking: int) -> str:
    """The scrape of a process that talks to a few hosts and leaks at some lines."""
    client = memory_client()
    with (
        logged(),
        make_sites(max(leaking, 1)) as sites,
        guard(check_interval=3600),
    ):
        for number in range(_POOLS):
            url = f"http://service-{number}.internal/item"
            client.manager.request("GET", url, preload_content=False).read()
        for site in sites[:leaking]:
            at_depth(lambda site=site: site(client) and None)  # type: ignore[misc]
        for call in client.calls().values():
            call()
        return httpguard.render_prometheus()[0].decode()


def _row(
    sites: int, scrape: str, interval: int, memory: float, disk: float
) -> dict[str, Any]:
    """One process, and ten thousand of them."""
    series = len(_SAMPLE.findall(scrape))
    packed = len(gzip.compress(scrape.encode()))
    everywhere = series * _PROCESSES
    return {
        "sites": sites,
        "interval": interval,
        "series": series,
        "bytes": len(scrape),
        "bytes packed": packed,
        "fleet: series": everywhere,
        "fleet: samples a second": everywhere / interval,
        "fleet: bytes a second": len(scrape) * _PROCESSES / interval,
        "fleet: bytes of memory": everywhere * memory,
        "fleet: bytes of disk a day": everywhere / interval * _DAY * disk,
    }


def _memory(scrape: str, targets: int) -> dict[str, float]:
    """Bytes of a real Prometheus's memory for each series of ours."""
    with tempfile.TemporaryDirectory() as directory, _copies(scrape) as address:
        path = Path(directory)
        config = scraping(address, f"{_TARGET_INTERVAL}s")
        config = config.replace("static_configs:", "file_sd_configs:")
        config = re.sub(r"- targets: .*", "- files: [targets.json]", config)
        config += "  - job_name: itself\n    static_configs: [{targets: [SELF]}]\n"
        config = config.replace("rule_files:\n  - alerts.yml\n", "")
        listed = path / "targets.json"
        listed.write_text("[]")
        with prometheus(config.replace("SELF", "localhost:1"), path) as watching:
            before = _resident(watching)
            listed.write_text(json.dumps(_targets(address, targets)))
            wanted = len(_SAMPLE.findall(scrape)) * targets
            ours = 'count({__name__=~"httpguard_.+"})'
            while total(watching, ours) < wanted:
                time.sleep(2)
            time.sleep(6 * _TARGET_INTERVAL)
            after = _resident(watching)
    return {"series": wanted, "bytes a series": (after - before) / wanted}


def _targets(address: str, count: int) -> list[dict[str, Any]]:
    """So many processes at one address."""
    host = address.removeprefix("http://")
    return [
        {"targets": [host], "labels": {"instance": f"process-{n}"}}
        for n in range(count)
    ]


def _resident(watching: str) -> float:
    """Bytes of memory that Prometheus has, by its own account."""
    from urllib.request import urlopen

    with urlopen(f"{watching}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(text)
    return float(found[1])


@contextmanager
def _copies(scrape: str) -> Iterator[str]:
    """A server that answers each scrape with the same, its counters moved on."""
    moved = _moving(scrape)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer a scrape."""
            with lock:
                body = next(moved).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _moving(scrape: str) -> Iterator[str]:
    """A process's scrapes, one after the other, as its requests go on.

    A sample that is 0 stays so: most processes do not leak most of the time.
    """
    grown = 0

    def moved(match: re.Match[str]) -> str:
        name, labels, value = match[1], match[2] or "", float(match[3])
        if value and not name.startswith(("httpguard_processes", "httpguard_pool")):
            value += grown if "_total" in name or "_bucket" in name else grown % 7
        return f"{name}{labels} {value}"

    while True:
        grown += random.randrange(100)
        yield _SAMPLE.sub(moved, scrape)


def _disk(scrape: str) -> float:
    """Bytes of disk for each sample of a day, as Prometheus's own tool writes them."""
    begin = 1_700_000_000 // _DAY * _DAY
    scrapes = _moving(scrape)
    lines = []
    for step in range(0, _DAY, _STEP):
        rows = _SAMPLE.findall(next(scrapes))
        lines += [f"{n}{labels} {value} {begin + step}" for n, labels, value in rows]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        text = "\n".join(_grouped(lines, scrape)) + "\n# EOF\n"
        (path / "samples.txt").write_text(text, encoding="utf-8")
        subprocess.run(
            [
                *("promtool", "tsdb", "create-blocks-from", "openmetrics"),
                *("samples.txt", "blocks"),
            ],
            cwd=path,
            check=True,
            capture_output=True,
        )
        written = sum(
            file.stat().st_size
            for file in (path / "blocks").rglob("*")
            if file.is_file()
        )
    return written / len(lines)


def _grouped(lines: list[str], scrape: str) -> Iterator[str]:
    """The samples in the order that OpenMetrics asks for: by series."""
    by_series: dict[str, list[str]] = {}
    for line in lines:
        by_series.setdefault(line.rsplit(" ", 2)[0], []).append(line)
    for kind in re.findall(r"^# TYPE .*$", scrape, re.MULTILINE):
        name = kind.split()[2].removesuffix("_total")
        yield kind.replace(kind.split()[2], name)
        own = re.compile(rf"{name}(_total|_bucket|_sum|_count)?(\{{|$)")
        for key, samples in by_series.items():
            if own.match(key):
                yield from samples


def _print(rows: list[dict[str, Any]]) -> None:
    """The tables."""
    one = Table(title="One process", title_justify="left")
    many = Table(title=f"{_PROCESSES:,} processes", title_justify="left")
    for name in ("leaking lines", "series", "bytes a scrape", "packed"):
        one.add_column(name, justify="right")
    for name in ("leaking lines", "scraped every, s", "series", "samples/s"):
        many.add_column(name, justify="right")
    for name in ("MiB/s on the wire", "GiB of memory", "GiB of disk a day"):
        many.add_column(name, justify="right")
    for row in rows:
        if row["interval"] == _INTERVALS[0]:
            one.add_row(
                str(row["sites"]),
                f"{row['series']:,}",
                f"{row['bytes']:,}",
                f"{row['bytes packed']:,}",
            )
        many.add_row(
            str(row["sites"]),
            str(row["interval"]),
            f"{row['fleet: series']:,}",
            f"{row['fleet: samples a second']:,.0f}",
            f"{row['fleet: bytes a second'] / _MEBI:.1f}",
            f"{row['fleet: bytes of memory'] / _GIBI:.1f}",
            f"{row['fleet: bytes of disk a day'] / _GIBI:.1f}",
        )
    console.print(one)
    console.print(many)
