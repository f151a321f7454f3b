from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakKind
from httpguard._leases.table import MOST_SERIES
from httpguard._metrics import measures
from httpguard._metrics.measures import take_measures
from httpguard._process import process as _process
from httpguard._process.process import PROCESS
from tests.program import line_of, run, run_without_packages, write
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import GuardControl

pytest.importorskip("prometheus_client")

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    PROCESS.collector = None
    yield
    for _, observer in list(PROCESS.observers.members):
        PROCESS.observers.remove(observer)
    PROCESS.collector = None


def parse(text: str) -> Samples:
    """Every sample; that a name with its labels comes once is part of the test."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples
            samples[key] = sample.value
    return samples


def scrape() -> Samples:
    return parse(httpguard.render_prometheus()[0].decode())


def value(samples: Samples, metric: str, **labels: str) -> float:
    return samples[metric, tuple(sorted(labels.items()))]


def here(line: int) -> str:
    return f"{__file__}:{line}"


def leaks(samples: Samples) -> dict[tuple[str, str], float]:
    """The counts that are not 0, by kind and site."""
    return {
        (dict(labels)["kind"], dict(labels)["site"]): count
        for (name, labels), count in samples.items()
        if name == "httpguard_leaks_total" and count
    }


def leak(url: str) -> str:
    """Drop a response; where that is."""
    requests.get(url, stream=True)
    frame = sys._getframe()
    return f"{here(frame.f_code.co_firstlineno + 2)} in leak"


def test_a_leak_is_counted_at_its_site(guard: GuardControl, server: Server) -> None:
    guard.install()
    site = ""
    for _ in range(3):
        site = leak(server.url("/bytes/90000"))
    samples = scrape()
    assert leaks(samples) == {("dropped", site): 3}
    assert value(samples, "httpguard_leaks_total", kind="dropped", site="other") == 0
    assert value(samples, "httpguard_responses_opened_total") == 3
    assert value(samples, "httpguard_processes") == 1


def test_innocent_requests_are_counted_as_such(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    requests.get(server.url("/bytes/90000"))
    with requests.get(server.url("/bytes/90000"), stream=True) as response:
        assert len(response.content) == 90000
    samples = scrape()
    assert leaks(samples) == {}
    assert value(samples, "httpguard_responses_opened_total") == 1
    assert value(samples, "httpguard_responses_released_total") == 1
    assert value(samples, "httpguard_errors_total") == 0


def test_open_and_held_by_pool(guard: GuardControl, server: Server) -> None:
    guard.install(max_idle=60)
    pool = server.url("")
    session = requests.Session()
    kept = [session.get(server.url("/bytes/90000"), stream=True) for _ in range(2)]
    guard.advance(10)
    with httpguard.allow("older ones do not count"):
        guard.advance(-100)
        kept.append(requests.get(server.url("/bytes/90000"), stream=True))
        guard.advance(100)
    samples = scrape()
    assert value(samples, "httpguard_open_responses", pool=pool) == 3
    assert value(samples, "httpguard_held_responses") == 0
    assert value(samples, "httpguard_oldest_open_response_seconds") == 10
    guard.advance(60)
    guard.check()
    samples = scrape()
    assert value(samples, "httpguard_held_responses") == 2
    assert value(samples, "httpguard_excused_total") == 1
    for response in kept:
        response.close()
    guard.check()
    samples = scrape()
    assert value(samples, "httpguard_held_responses") == 0
    assert value(samples, "httpguard_resolved_total") == 2
    assert value(samples, "httpguard_oldest_open_response_seconds") == 0


def test_of_many_only_the_next_sweep_asks_each(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "MANY", 1)
    guard.install()
    pool = server.url("")
    kept = [requests.get(server.url("/bytes/90000"), stream=True) for _ in range(4)]
    kept[0].close()
    assert len(kept[1].content) == 90_000
    assert value(scrape(), "httpguard_open_responses", pool=pool) == 2
    # By a way that nobody sees.
    kept[2].raw._connection = None
    assert value(scrape(), "httpguard_open_responses", pool=pool) == 2
    guard.check()
    assert value(scrape(), "httpguard_open_responses", pool=pool) == 1
    kept[3].close()


def test_size_and_lost_slots_of_pools(guard: GuardControl, server: Server) -> None:
    guard.install()
    name = server.url("")
    pools = [
        urllib3.HTTPConnectionPool(server.host, server.port, maxsize=3, block=True)
        for _ in range(2)
    ]
    for pool in pools:
        pool.urlopen("GET", "/bytes/90000", preload_content=False)
    samples = scrape()
    assert value(samples, "httpguard_pool_size", pool=name) == 6
    assert value(samples, "httpguard_pool_lost_slots", pool=name) == 2
    assert value(samples, "httpguard_open_responses", pool=name) == 0


def test_who_waits_and_what_was_given_back(guard: GuardControl, server: Server) -> None:
    guard.install(reclaim=True)
    name = server.url("")
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, block=True)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    samples = scrape()
    assert value(samples, "httpguard_pool_in_use", pool=name) == 1
    assert value(samples, "httpguard_pool_waiting", pool=name) == 0
    let_one_wait(guard, pool, held)
    samples = scrape()
    assert value(samples, "httpguard_pool_waiting", pool=name) == 0
    assert value(samples, "httpguard_pool_waits_total", pool=name) == 1
    assert value(samples, "httpguard_pool_wait_seconds_total", pool=name) == 3
    assert value(samples, "httpguard_pool_idle", pool=name) == 1
    assert value(samples, "httpguard_connections_opened_total") == 1
    assert value(samples, "httpguard_connections_reused_total") == 1

    pool.urlopen("GET", "/bytes/90000", preload_content=False)
    samples = scrape()
    assert value(samples, "httpguard_pool_reclaimed_slots_total", pool=name) == 1
    assert value(samples, "httpguard_pool_lost_slots", pool=name) == 0

    # What was counted stays, the pool does not.
    del pool, held
    gc.collect()
    samples = scrape()
    assert value(samples, "httpguard_pool_size", pool=name) == 0
    assert value(samples, "httpguard_pool_waits_total", pool=name) == 1
    assert value(samples, "httpguard_pool_wait_seconds_total", pool=name) == 3

    # Those of the next one of the name are added.
    again = wait_and_lose(guard, server)
    samples = scrape()
    assert value(samples, "httpguard_pool_waits_total", pool=name) == 2
    assert value(samples, "httpguard_pool_wait_seconds_total", pool=name) == 6
    assert value(samples, "httpguard_pool_reclaimed_slots_total", pool=name) == 2
    again.close()


def let_one_wait(
    guard: GuardControl,
    pool: urllib3.HTTPConnectionPool,
    held: urllib3.BaseHTTPResponse,
) -> None:
    """A request waits for 3 s for the connection that a response holds."""
    waiter = threading.Thread(
        target=pool.request, args=("GET", "/bytes/10"), daemon=True
    )
    waiter.start()
    name = f"http://{pool.host}:{pool.port}"
    while not value(scrape(), "httpguard_pool_waiting", pool=name):
        time.sleep(0.01)
    guard.advance(3.0)
    held.drain_conn()
    waiter.join()


def wait_and_lose(guard: GuardControl, server: Server) -> urllib3.HTTPConnectionPool:
    """A pool in which a request has waited for 3 s, and that has lost a slot."""
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, block=True)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    let_one_wait(guard, pool, held)
    pool.urlopen("GET", "/bytes/90000", preload_content=False)
    return pool


def test_no_count_falls_when_a_pool_goes_after_many_others(
    guard: GuardControl, server: Server
) -> None:
    guard.install(reclaim=True)
    name = server.url("")
    pool = wait_and_lose(guard, server)
    counts = ("waits", "wait_seconds", "reclaimed_slots")
    metrics = [f"httpguard_pool_{count}_total" for count in counts]
    before = scrape()
    assert [value(before, metric, pool=name) for metric in metrics] == [1, 3, 1]
    # The figures of so many that are gone are kept by name, the rest as others'.
    for port in range(1, 220):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            urllib3.HTTPConnectionPool(server.host, port, timeout=0.1).request(
                "GET", "/", retries=False
            )
    del pool
    gc.collect()
    after = scrape()
    assert [value(after, metric, pool=name) for metric in metrics] == [1, 3, 1]


def test_pools_that_do_not_block_have_no_series_of_waits(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    with requests.Session() as session:
        session.get(server.url("/bytes/10"))
        samples = scrape()
    assert value(samples, "httpguard_pool_size", pool=server.url("")) == 10
    names = {name for name, _ in samples}
    assert "httpguard_pool_waits_total" not in names
    assert "httpguard_pool_lost_slots" not in names


COUNTERS = {
    "resolved": "httpguard_resolved",
    "excused": "httpguard_excused",
    "opened": "httpguard_responses_opened",
    "released": "httpguard_responses_released",
    "closed": "httpguard_responses_closed",
    "held_closed": "httpguard_held_closed",
    "too_many_open": "httpguard_too_many_open",
    "pool_starved": "httpguard_pool_starved",
    "connected": "httpguard_connections_opened",
    "reused": "httpguard_connections_reused",
    "discarded": "httpguard_connections_discarded",
    "errors": "httpguard_errors",
}


def test_each_counter_has_a_metric_of_its_own(
    guard: GuardControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    counters = {name: n for n, name in enumerate(guard.check().counters, 1)}
    monkeypatch.setattr(
        "httpguard._guard.guard.take_measures",
        lambda *arguments: take_measures(*arguments)._replace(counters=counters),
    )
    samples = scrape()
    told = {name: value(samples, f"{COUNTERS[name]}_total") for name in COUNTERS}
    assert told == {name: counters[name] for name in COUNTERS}


def test_lease_times(guard: GuardControl, server: Server) -> None:
    httpguard.prometheus_collector()
    guard.install()
    for seconds in (0.0, 0.3, 7.0, 3600.0):
        with requests.get(server.url("/bytes/90000"), stream=True):
            guard.advance(seconds)
    samples = scrape()
    name = "httpguard_lease_duration_seconds"
    buckets = {
        dict(labels)["le"]: count
        for (metric, labels), count in samples.items()
        if metric == f"{name}_bucket"
    }
    assert buckets["0.001"] == 1
    assert buckets["0.1"] == 1
    assert buckets["0.5"] == buckets["5.0"] == 2
    assert buckets["10.0"] == buckets["1800.0"] == 3
    assert buckets["+Inf"] == value(samples, f"{name}_count") == 4
    assert value(samples, f"{name}_sum") == pytest.approx(3607.3)


def test_lease_times_are_kept_only_if_somebody_asks(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    current = _process.current()
    assert current is not None
    with requests.get(server.url("/bytes/90000"), stream=True):
        pass
    assert current.registry.times is None
    httpguard.prometheus_collector()
    with requests.get(server.url("/bytes/90000"), stream=True):
        pass
    assert value(scrape(), "httpguard_lease_duration_seconds_count") == 1


def test_leaked_responses_have_no_lease_time(
    guard: GuardControl, server: Server
) -> None:
    httpguard.prometheus_collector()
    guard.install()
    leak(server.url("/bytes/90000"))
    assert value(scrape(), "httpguard_lease_duration_seconds_count") == 0


def make_sites(count: int, tmp_path: Path) -> dict[str, Any]:
    """Functions that leak, each at a line of its own."""
    lines = ["import requests"]
    lines += [f"def f{i}(url): requests.get(url, stream=True)" for i in range(count)]
    path = tmp_path / "sites.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names


def test_sites_past_the_hundredth_are_folded(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    guard.install()
    names = make_sites(MOST_SERIES + 20, tmp_path)
    before: dict[tuple[str, str], float] = {}
    for round_ in (1, 2):
        for i in range(MOST_SERIES + 20):
            names[f"f{i}"](server.url("/bytes/90000"))
        found = leaks(scrape())
        assert len(found) == MOST_SERIES + 1
        assert found["dropped", "other"] == 20 * round_
        assert sum(found.values()) == (MOST_SERIES + 20) * round_
        # A counter never falls, whichever site leaks most.
        assert all(found[key] >= count for key, count in before.items())
        before = found


def test_responses_that_are_not_sampled_are_in_other(
    guard: GuardControl, server: Server
) -> None:
    guard.install(sample=0.0)
    leak(server.url("/bytes/90000"))
    assert leaks(scrape()) == {("dropped", "other"): 1}


def test_pools_past_the_hundredth_are_folded(
    guard: GuardControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httpguard._metrics.measures.MOST_POOLS", 2)
    guard.install()
    with contextlib.ExitStack() as servers:
        kept = [
            requests.get(
                servers.enter_context(Server()).url("/bytes/90000"), stream=True
            )
            for _ in range(4)
        ]
        counts = {
            dict(labels)["pool"]: count
            for (name, labels), count in scrape().items()
            if name == "httpguard_open_responses"
        }
        for response in kept:
            response.close()
    assert counts.pop("other") == 2
    assert list(counts.values()) == [1, 1]


def test_in_a_registry_of_ones_own(guard: GuardControl, server: Server) -> None:
    registry = CollectorRegistry()
    registry.register(httpguard.prometheus_collector())
    assert parse(generate_latest(registry).decode()) == {}
    guard.install()
    site = leak(server.url("/bytes/90000"))
    assert leaks(parse(generate_latest(registry).decode())) == {("dropped", site): 1}
    requests.get(server.url("/bytes/90000"), stream=True).close()
    samples = parse(generate_latest(registry).decode())
    assert value(samples, "httpguard_lease_duration_seconds_count") == 1
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(httpguard.prometheus_collector())


def get(url: str, **headers: str) -> tuple[str, str]:
    """A page's content type and text, as Prometheus would ask for it."""
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_at_the_live_page(guard: GuardControl, server: Server) -> None:
    guard.install()
    site = leak(server.url("/bytes/90000"))
    with httpguard.serve() as page:
        kind, text = get(f"{page.url.rstrip('/')}/metrics")
        assert kind.startswith("text/plain")
        assert leaks(parse(text)) == {("dropped", site): 1}
        # Who asks for another format gets it.
        openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}
        kind, text = get(f"{page.url.rstrip('/')}/metrics", **openmetrics)
        assert kind.startswith("application/openmetrics-text")


def test_the_live_page_says_what_is_missing(
    guard: GuardControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    monkeypatch.delitem(sys.modules, "httpguard._metrics.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with httpguard.serve() as page, pytest.raises(urllib.error.HTTPError) as caught:
        get(f"{page.url.rstrip('/')}/metrics")
    assert caught.value.code == 501
    assert "httpguard[prometheus]" in caught.value.read().decode()


def test_openmetrics_where_it_is_asked_for(guard: GuardControl) -> None:
    guard.install()
    body, content_type = httpguard.render_prometheus("application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert httpguard.render_prometheus()[1].startswith("text/plain")


def test_names_and_labels_are_escaped(guard: GuardControl, server: Server) -> None:
    guard.install()
    name = 'a"b\\\nhttpguard_forged 1\udc80'
    code = compile("\n\nget(url, stream=True)", name, "exec")
    exec(code, {"get": requests.get, "url": server.url("/bytes/90000")})
    samples = scrape()
    assert ("httpguard_forged", ()) not in samples
    assert list(leaks(samples).values()) == [1]


def test_a_scrape_that_fails_is_said_and_stops_nothing(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    monkeypatch.setattr(
        "httpguard._guard.guard.take_measures", lambda *_: [].pop(), raising=True
    )
    assert scrape() == {}
    leak(server.url("/bytes/90000"))
    counters = guard.check().counters
    assert (counters["errors"], counters["dropped"]) == (1, 1)


def test_without_prometheus_client(tmp_path: Path) -> None:
    done = run_without_packages("httpguard.prometheus_collector()", tmp_path)
    assert "prometheus_client is not installed" in done.stdout, done.stderr
    assert "httpguard[prometheus]" in done.stdout


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The variable of multiprocess mode, with an empty directory."""
    (tmp_path / "files").mkdir()
    return {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "files")}


MULTI = """
import os, sys
import httpguard
httpguard.prometheus_collector()
httpguard.install(check_interval=0)
import requests

def leak():
    requests.get(sys.argv[1], stream=True)  # LEAK

leak(); httpguard.check()
for _ in range(2):
    if not os.fork():
        leak(); leak()
        kept = requests.get(sys.argv[1], stream=True)
        with requests.get(sys.argv[1], stream=True):
            pass
        httpguard.check()
        os._exit(0)
for _ in range(2):
    os.wait()
httpguard.uninstall()
httpguard.install(check_interval=0)
leak()
print(httpguard.render_prometheus()[0].decode())
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
registry.register(httpguard.prometheus_collector())
multiprocess.MultiProcessCollector(registry)
print("=====")
print(generate_latest(registry).decode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_multiprocess_mode_adds_up_what_processes_say(
    server: Server, tmp_path: Path, files: dict[str, str]
) -> None:
    program = write(tmp_path / "program.py", MULTI)
    done = run(program, server.url("/bytes/90000"), env=files)
    assert done.returncode == 0, done.stderr
    assert "stepped aside" not in done.stderr
    own, registered = map(parse, done.stdout.split("=====\n"))
    assert own == registered
    site = f"{program}:{line_of(MULTI, '# LEAK')} in leak"
    # One and, installed anew, one more; and two in each child.
    assert leaks(own) == {("dropped", site): 6}
    assert value(own, "httpguard_lease_duration_seconds_count") == 2
    assert value(own, "httpguard_open_responses", pool=server.url("")) == 2
    assert value(own, "httpguard_responses_opened_total") == 10


TOGETHER = """
import os, sys, time
import httpguard
from httpguard._process.process import PROCESS
from prometheus_client import Counter, multiprocess
httpguard.prometheus_collector()
httpguard.install(check_interval=0)
import requests
Counter("shop_orders", "Of the program's own.").inc()

def tell():
    httpguard.check()
    print(httpguard.render_prometheus()[0].decode() + "=====")

begin = time.monotonic()
kept = requests.get(sys.argv[1], stream=True)
httpguard.check()
(is_ready, ready), (may_end, end) = os.pipe(), os.pipe()
# Another thread is writing as the program forks.
PROCESS.collector._lock.acquire()
if not (child := os.fork()):
    other = requests.get(sys.argv[1], stream=True)
    requests.get(sys.argv[1], stream=True)  # LEAK
    time.sleep(0.3)
    httpguard.check()
    os.write(ready, b"x")
    os.read(may_end, 1)
    os._exit(0)
# Nor does a sweep wait for it.
httpguard.check()
PROCESS.collector._lock.release()
os.read(is_ready, 1)
tell()
print(time.monotonic() - begin, "=====")
os.write(end, b"x")
os.wait()
multiprocess.mark_process_dead(child)
tell()
httpguard.uninstall()
httpguard.install(check_interval=0)
tell()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_multiprocess_mode_knows_who_is_there(
    server: Server, tmp_path: Path, files: dict[str, str]
) -> None:
    program = write(tmp_path / "program.py", TOGETHER)
    done = run(program, server.url("/bytes/90000"), env=files)
    assert done.returncode == 0, done.stderr
    first, elapsed, *rest = done.stdout.split("=====\n")[:-1]
    both, alone, anew = map(parse, (first, *rest))
    pool = server.url("")
    leaked = {("dropped", f"{program}:{line_of(TOGETHER, '# LEAK')} in <module>"): 1}
    assert value(both, "httpguard_open_responses", pool=pool) == 2
    assert value(both, "httpguard_processes") == 2
    assert [name for name, _ in both if not name.startswith("httpguard_")] == []
    oldest = value(both, "httpguard_oldest_open_response_seconds")
    assert 0.3 <= oldest <= float(elapsed)
    # What a process that has ended had open is not, what it counted is there.
    assert value(alone, "httpguard_open_responses", pool=pool) == 1
    assert value(alone, "httpguard_processes") == 1
    # Another guard has not seen what was opened before.
    assert value(anew, "httpguard_open_responses", pool=pool) == 0
    assert leaks(both) == leaks(alone) == leaks(anew) == leaked


CHILD = """
import os, sys
import httpguard
httpguard.prometheus_collector()
httpguard.install(check_interval=0)
import requests
requests.get(sys.argv[1], stream=True).close()
httpguard.check()
if not (child := os.fork()):
    print(httpguard.render_prometheus()[0].decode(), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_counts_from_0(server: Server, tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", CHILD)
    samples = parse(run(program, server.url("/bytes/90000")).stdout)
    assert value(samples, "httpguard_responses_opened_total") == 0
    assert value(samples, "httpguard_lease_duration_seconds_count") == 0


AT_EXIT = """
import sys
import httpguard
httpguard.prometheus_collector()
httpguard.install(check_interval=3600)
import requests
requests.get(sys.argv[1], stream=True)
"""


def test_multiprocess_mode_has_what_was_found_at_exit(
    server: Server, tmp_path: Path, files: dict[str, str]
) -> None:
    program = write(tmp_path / "program.py", AT_EXIT)
    run(program, server.url("/bytes/90000"), env=files)
    read = run(
        "-c", "import httpguard; print(httpguard.render_prometheus())", env=files
    )
    assert re.search(
        r"httpguard_leaks_total\{[^}]*program.py:7[^}]*\} 1\.0", read.stdout
    )


IDLE = """
import httpguard
httpguard.prometheus_collector()
httpguard.install()
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_multiprocess_mode_knows_a_process_that_does_nothing(
    tmp_path: Path, files: dict[str, str]
) -> None:
    done = run(write(tmp_path / "program.py", IDLE), env=files)
    samples = parse(done.stdout)
    assert value(samples, "httpguard_processes") == 1
    assert value(samples, "httpguard_leaks_total", kind="held", site="other") == 0


def test_a_pool_whose_slots_are_lost_reads_as_full(
    guard: GuardControl, server: Server
) -> None:
    guard.install()
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)

    def figures() -> list[float]:
        samples, name = scrape(), server.url("")
        metrics = ("size", "in_use", "lost_slots", "idle")
        return [value(samples, f"httpguard_pool_{m}", pool=name) for m in metrics]

    for _ in range(2):
        pool.urlopen("GET", "/bytes/90000", preload_content=False)
    guard.check()
    assert figures() == [2, 2, 2, 0]
    # Its twin, which gives both back.
    pool.close()
    del pool
    gc.collect()
    twin = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    kept = [
        twin.urlopen("GET", "/bytes/90000", preload_content=False) for _ in range(2)
    ]
    assert figures() == [2, 2, 0, 0]
    for response in kept:
        response.drain_conn()
    assert figures() == [2, 0, 0, 2]


def test_no_counter_falls(
    guard: GuardControl, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures that are added up while requests change them may dip for a moment."""
    guard.install()
    leak(server.url("/bytes/90000"))
    requests.get(server.url("/bytes/10"))
    before = scrape()
    current = _process.current()
    assert current is not None
    monkeypatch.setattr(
        "httpguard._guard.guard.take_counters",
        lambda *_, **__: dict.fromkeys(guard.check().counters, 0),
    )
    monkeypatch.setattr(current.detector.verdicts, "counts", dict.fromkeys(LeakKind, 0))
    after = scrape()
    for (name, labels), count in before.items():
        if name.endswith("_total"):
            assert after[name, labels] >= count


LOCKED = """
import os, sys
import httpguard
collector = httpguard.prometheus_collector()
httpguard.install(check_interval=0)
import requests
requests.get(sys.argv[1], stream=True).close()
# Another thread is being answered as the program forks.
collector._lock.acquire()
if not (child := os.fork()):
    requests.get(sys.argv[1], stream=True).close()
    httpguard.check()
    print(httpguard.render_prometheus()[0].decode(), flush=True)
    os._exit(0)
collector._lock.release()
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_in_the_middle_of_a_scrape(server: Server, tmp_path: Path) -> None:
    program = write(tmp_path / "program.py", LOCKED)
    samples = parse(run(program, server.url("/bytes/90000")).stdout)
    assert value(samples, "httpguard_lease_duration_seconds_count") == 1
