// The page: asks for the state every two seconds and shows it.

import { Chart } from "./chart.js";
import { byId, make, say, write } from "./elements.js";
import { bytes, duration, place, plural, siteKey, whole } from "./format.js";
import { fixOf, KINDS, LeakList } from "./leaks.js";
import { openTable, poolTable } from "./tables.js";

const EVERY = 2000;
const PATIENCE = 10000;
const SLOWEST = 10000;
const THEMES = ["system", "light", "dark"];

const leaks = new LeakList(byId("leaks-list"));
const open = openTable(byId("open-table"));
const pools = poolTable(byId("pools-table"));
const charts = [
  new Chart(byId("chart-open"), byId("chart-open-read"), "Open responses"),
  new Chart(byId("chart-leaks"), byId("chart-leaks-read"), "Leaks found"),
];
const hiddenKinds = new Set();
let state = null;
let before = null;
let paused = false;
let failures = 0;
let lastAnswer = Date.now();
let timer = 0;
let asking = false;

// Asking.

async function refresh() {
  clearTimeout(timer);
  if (asking || paused || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch("api/snapshot", { signal: AbortSignal.timeout(PATIENCE), credentials: "same-origin" });
    if (answer.status === 401) {
      failures += 1;
      tell("lost", "signed out: open the link with the token again");
    } else if (!answer.ok) {
      throw new Error(`status ${answer.status}`);
    } else {
      const news = await answer.json();
      failures = 0;
      lastAnswer = Date.now();
      if (!state || news.time !== state.time) {
        before = state && state.program.pid === news.program.pid ? state : null;
        state = news;
        show();
      }
      tell("live", "live");
    }
  } catch {
    failures += 1;
    tell("lost", `no answer for ${duration((Date.now() - lastAnswer) / 1000)}`);
  } finally {
    asking = false;
    if (!paused) timer = setTimeout(refresh, Math.min(EVERY * 2 ** Math.max(failures - 1, 0), SLOWEST));
  }
}

function tell(name, text) {
  byId("state").dataset.state = name;
  write(byId("state-text"), text);
}

// Showing.

function show() {
  if (!state) return;
  const { program } = state;
  write(byId("program"), `${program.name} · process ${program.pid} on ${program.host}`);
  document.title = `${state.counters.leaks ? `(${whole(state.counters.leaks)}) ` : ""}${program.name} · httpguard`;
  write(byId("versions"), `httpguard ${state.httpguard} · ${program.implementation} ${program.python}` +
    (state.installed ? ` · idle for ${duration(state.settings.max_idle)} is held${state.settings.strict ? " · strict" : ""}` : ""));
  showNotices();
  showAlerts();
  showAdvice();
  showTiles();
  showKinds();
  for (const chart of charts) chart.show(state.history);
  showRows();
}

function showNotices() {
  const texts = [];
  if (!state.installed) {
    texts.push("httpguard is not installed in this program: call httpguard.install() at its start, and leaks are found from then on.");
  }
  if (state.counters.errors) {
    texts.push(`httpguard failed inside ${plural(state.counters.errors, "time", "times")} and stepped aside; the program's log says where.`);
  }
  if (state.installed && state.settings.sample < 1) {
    texts.push(`${Math.round(state.settings.sample * 100)} % of responses are tracked (sample); the counters are exact.`);
  }
  const now = texts.join("\n");
  if (byId("notices").dataset.texts === now) return;
  byId("notices").dataset.texts = now;
  byId("notices").replaceChildren(...texts.map((text) => make("p", { class: "notice" }, text)));
}

// What hurts now, with the lines to blame.

function showAlerts() {
  const alerts = [];
  for (const pool of state.alerts) {
    const parts = [];
    if (pool.waiting) parts.push(`${plural(pool.waiting, "request waits", "requests wait")} for a connection`);
    if (pool.lost) parts.push(`${whole(pool.lost)} of ${plural(pool.size, "slot", "slots")} lost`);
    alerts.push({
      bad: pool.waiting > 0,
      text: `${pool.pool} ${pool.waiting ? "is starved" : "loses its slots"}: ${parts.join(", ")}`,
      guilty: pool.lost_at,
    });
  }
  const { fds, fd_limit: limit } = state.process;
  if (fds !== null && limit !== null && fds > 0.8 * limit) {
    alerts.push({ bad: true, text: `${whole(fds)} of ${whole(limit)} file descriptors are open`, guilty: [] });
  }
  alerts.sort((a, b) => b.bad - a.bad);
  const now = JSON.stringify(alerts.map((each) => [each.text, each.bad, each.guilty.map(siteKey)]));
  if (byId("alerts").dataset.texts === now) return;
  byId("alerts").dataset.texts = now;
  byId("alerts").replaceChildren(...alerts.slice(0, 5).map((each) =>
    make("li", { class: each.bad ? "alert bad" : "alert" }, make("span", {}, each.text),
      ...each.guilty.map((leak) => {
        const button = make("button", { type: "button", class: "to" }, `${place(leak.site)} in ${leak.site.function}`);
        button.addEventListener("click", () => leaks.reveal(siteKey(leak)));
        return button;
      }))));
}

function showAdvice() {
  const rows = state.advice;
  byId("advice").hidden = !rows.length;
  const now = JSON.stringify(rows);
  if (byId("advice").dataset.rows === now) return;
  byId("advice").dataset.rows = now;
  write(byId("advice-count"), "no leaks, but time and sockets");
  byId("advice-list").replaceChildren(...rows.map((row) =>
    make("li", {},
      make("p", {}, make("code", { class: "site" }, row.about), ` ${row.text}`),
      fixOf(row.hint),
      make("p", { class: "muted meaning" }, `${row.kind}. More: `, make("code", {}, `httpguard explain ${row.code}`)))));
}

const tiles = new Map();

function showTiles() {
  const { process, counters } = state;
  const lost = state.pools.reduce((sum, pool) => sum + pool.lost, 0);
  tile("Open now", whole(state.open_now), `${whole(counters.opened || 0)} opened so far`);
  tile("Leaks", whole(counters.leaks || 0), counters.resolved ? `${whole(counters.resolved)} ended well after all` : "since the start", Boolean(counters.leaks));
  tile("Slots lost", whole(lost), "of blocking pools", Boolean(lost));
  tile("Sessions", whole(state.sessions), "alive, with pools");
  const near = process.fds !== null && process.fd_limit !== null && process.fds > 0.8 * process.fd_limit;
  ofProcess("Descriptors", process.fds === null ? "–" : whole(process.fds), process.fd_limit === null ? "open" : `of ${whole(process.fd_limit)}`,
    near);
  ofProcess("Memory", bytes(process.rss), "resident");
  ofProcess("Threads", whole(process.threads), "in the process");
  ofProcess("CPU", share(), `up ${duration(process.uptime)}`);
}

function share() {
  if (!before) return "–";
  const seconds = (Date.parse(state.time) - Date.parse(before.time)) / 1000;
  const used = state.process.cpu_seconds - before.process.cpu_seconds;
  return seconds > 0 ? `${((100 * used) / seconds).toFixed(1)} %` : "–";
}

function ofProcess(name, value, note, bad = false) {
  tile(name, value, note, bad, "process");
}

function tile(name, value, note, bad = false, where = "tiles") {
  let parts = tiles.get(name);
  if (!parts) {
    parts = { value: make("dd", { class: "value" }), note: make("dd", { class: "note muted" }) };
    parts.element = make("div", { class: "tile" }, make("dt", {}, name), parts.value, parts.note);
    tiles.set(name, parts);
    byId(where).append(parts.element);
  }
  parts.element.classList.toggle("bad", bad);
  write(parts.value, value);
  write(parts.note, note);
}

const kindButtons = new Map();

function showKinds() {
  for (const [kind, meaning] of Object.entries(KINDS)) {
    let button = kindButtons.get(kind);
    if (!button) {
      button = make("button", { type: "button", class: `kind ${kind}`, "aria-pressed": "true", title: meaning });
      button.addEventListener("click", () => {
        if (!hiddenKinds.delete(kind)) hiddenKinds.add(kind);
        button.setAttribute("aria-pressed", String(!hiddenKinds.has(kind)));
        showRows();
      });
      kindButtons.set(kind, button);
      byId("kinds").append(button);
    }
    write(button, `${kind} ${whole(state.counters[kind] || 0)}`);
  }
}

function showRows() {
  if (!state) return;
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (...texts) => {
    const text = texts.join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const about = (row) => [row.site.filename, `${row.site.lineno}`, row.site.function, row.method, row.url, row.pool, row.thread, row.client, row.kind || ""];
  const shownLeaks = state.leaks.filter((leak) => !hiddenKinds.has(leak.kind) && fits(...about(leak)));
  const shownOpen = state.open_sites.filter((row) => fits(...about(row)));
  const named = state.pools.map((pool) => ({ ...pool, key: `${pool.name} ${pool.maxsize} ${pool.block}` }));
  const shownPools = named.filter((pool) => fits(pool.name));

  leaks.show(shownLeaks, byId("leaks-sort").value, state.time);
  open.show(shownOpen);
  pools.show(shownPools);
  count("leaks", shownLeaks.length, state.leaks.length, "site", "sites");
  count("open", shownOpen.length, state.open_sites.length, "site", "sites");
  count("pools", shownPools.length, state.pools.length, "kind of pool", "kinds of pools");
  byId("open-table").hidden = !shownOpen.length;
  byId("pools-table").hidden = !shownPools.length;
  empty("leaks", shownLeaks, state.leaks, state.installed ? "No leak so far." : "Nothing is watched.");
  empty("open", shownOpen, state.open_sites, "Nothing is open.");
  empty("pools", shownPools, state.pools, "No pool has handed out a response that was still open.");
  leftOut("leaks", state.left_out.leaks, "more sites of leaks are not shown");
  leftOut("open", state.left_out.open_sites, "more sites are not shown");
  leftOut("pools", state.left_out.pools, "more kinds of pools are not shown");
  announce();
}

function count(name, shown, all, one, many) {
  write(byId(`${name}-count`), shown === all ? plural(all, one, many) : `${whole(shown)} of ${plural(all, one, many)}`);
}

function empty(name, shown, all, text) {
  say(byId(`${name}-empty`), shown.length ? "" : all.length ? "None fits the filter." : text);
}

function leftOut(name, number, text) {
  say(byId(`${name}-left-out`), number ? `${whole(number)} ${text}.` : "");
}

let announced = null;

function announce() {
  const total = state.counters.leaks || 0;
  if (announced !== null && total > announced) {
    write(byId("announce"), `${plural(total, "leak", "leaks")} found`);
  }
  announced = total;
}

// Asking for something else.

function pause() {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  if (paused) {
    clearTimeout(timer);
    tell("wait", "paused");
  } else {
    refresh();
  }
}

function remembered() {
  try {
    return localStorage.getItem("httpguard-theme");
  } catch {
    return null;
  }
}

function wear(theme) {
  document.documentElement.dataset.theme = theme;
  write(byId("theme"), `Colours: ${theme}`);
  try {
    localStorage.setItem("httpguard-theme", theme);
  } catch {
    // It is remembered by nobody, then.
  }
}

function changeTheme() {
  wear(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
}

function step(by) {
  const summaries = [...byId("leaks-list").querySelectorAll(":scope > li > details > summary")];
  if (!summaries.length) return;
  const present = summaries.indexOf(document.activeElement);
  const next = present < 0 ? (by > 0 ? 0 : summaries.length - 1) : Math.min(Math.max(present + by, 0), summaries.length - 1);
  summaries[next].focus();
  summaries[next].scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (typing) {
    if (event.key === "Escape") {
      if (typing === byId("filter")) {
        typing.value = "";
        showRows();
      }
      typing.blur();
    }
    return;
  }
  const does = {
    "/": () => byId("filter").focus(),
    j: () => step(1),
    k: () => step(-1),
    p: pause,
    t: changeTheme,
  }[event.key.toLowerCase()];
  if (does) {
    event.preventDefault();
    does();
  }
}

wear(THEMES.includes(remembered()) ? remembered() : "system");
byId("pause").addEventListener("click", pause);
byId("theme").addEventListener("click", changeTheme);
byId("filter").addEventListener("input", showRows);
byId("leaks-sort").addEventListener("change", showRows);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", refresh);
refresh();
