// The list of leaks: one that opens for each kind and site.

import { KeyedList, make, write } from "./elements.js";
import { ago, clock, duration, place, progress, siteKey, whole } from "./format.js";

export const KINDS = {
  dropped: "HG101: collected while it held its connection",
  held: "HG102: still referenced, open and idle",
  unreleased: "HG103: closed unread in a blocking pool, never released",
  open: "HG104: still open when its scope ended",
  session: "HG105: one of a crowd of sessions that nobody closed",
};

const ORDERS = {
  count: (a, b) => b.count - a.count,
  last_seen: (a, b) => Date.parse(b.last_seen) - Date.parse(a.last_seen),
  first_seen: (a, b) => Date.parse(b.first_seen) - Date.parse(a.first_seen),
  site: (a, b) => a.site.filename.localeCompare(b.site.filename) || a.site.lineno - b.site.lineno,
};

export class LeakList {
  constructor(list) {
    this.rows = new KeyedList(list, (leak) => new LeakRow(leak));
    this.opened = false;
  }

  show(leaks, order, now) {
    const sorted = [...leaks].sort(ORDERS[order]);
    LeakRow.now = now;
    this.rows.show(sorted, siteKey);
    // The first leak tells its story without a click; after that, who reads decides.
    if (!this.opened && sorted.length) {
      this.opened = true;
      this.rows.container.querySelector("details").open = true;
    }
  }
}

/** A stack as a list, the call of the application's own line marked. */
export function stackOf(row) {
  const items = row.stack.map((frame) =>
    make(
      "li",
      { class: frame.application ? "own" : "library" },
      make("code", { class: "where", title: frame.filename },
        frame.application ? make("span", { class: "hidden" }, "your code: ") : null,
        `${place(frame)} in ${frame.function}`),
      frame.source ? make("code", { class: "source" }, frame.source) : null,
    ),
  );
  if (row.frames_left_out) {
    items.unshift(make("li", { class: "library muted" }, `${whole(row.frames_left_out)} outer frames left out`));
  }
  if (row.stack.some((frame) => frame.cut)) {
    items.unshift(make("li", { class: "library muted" }, "outer frames not kept: this site's responses had all ended well"));
  }
  if (!items.length) {
    return make("p", { class: "muted" }, "No stack was kept: it was not sampled.");
  }
  return make("ol", { class: "stack" }, ...items);
}

export function facts(pairs) {
  return make(
    "dl",
    { class: "facts" },
    ...pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

class LeakRow {
  constructor(leak) {
    this.kind = make("span", { class: `kind ${leak.kind in KINDS ? leak.kind : ""}`, title: KINDS[leak.kind] }, leak.kind);
    this.count = make("span", { class: "times" });
    this.site = make("code", { class: "site", title: leak.site.filename }, `${place(leak.site)} in ${leak.site.function}`);
    this.request = make("span", { class: "request" });
    this.when = make("span", { class: "when muted" });
    this.body = make("div", { class: "story" });
    this.details = make(
      "details",
      {},
      make("summary", {}, this.kind, this.count, this.site, this.request, this.when),
      this.body,
    );
    this.details.addEventListener("toggle", () => this.fill());
    this.element = make("li", {}, this.details);
  }

  update(leak) {
    this.leak = leak;
    write(this.count, `${whole(leak.count)}×`);
    write(this.request, `${leak.method} ${leak.url}`.trim());
    write(this.when, ago(leak.last_seen, LeakRow.now));
    if (this.details.open) this.fill();
  }

  /** What is only there while it is open; the stack is kept while it is the same. */
  fill() {
    if (!this.details.open) return;
    const leak = this.leak;
    const identity = JSON.stringify([leak.stack, leak.held_by, leak.hint]);
    if (identity !== this.identity) {
      this.identity = identity;
      this.facts = make("div");
      const parts = [
        make("p", { class: "fix" }, make("strong", {}, "Fix: "), leak.hint),
        this.facts,
        heldBy(leak.held_by),
        make("h3", {}, `${leak.kind === "session" ? "Made" : "Opened"} here, the innermost call last`),
        stackOf(leak),
      ];
      this.body.replaceChildren(...parts.filter(Boolean));
    }
    const text = JSON.stringify([leak.count, leak.resolved, leak.last_seen]);
    if (text === this.text && this.facts.firstChild) return;
    this.text = text;
    const session = leak.kind === "session";
    this.facts.replaceChildren(
      facts([
        ["Latest", clock(leak.last_seen)],
        ["First", clock(leak.first_seen)],
        ["Age, idle", `${duration(leak.age)}, ${duration(leak.idle)}`],
        ["Body", session ? null : progress(leak)],
        ["Status", session ? null : String(leak.status)],
        ["Sockets", session ? whole(leak.sockets) : null],
        ["Thread", leak.thread],
        ["Client", leak.client],
        ["Pool", leak.pool],
        ["Ended well after all", leak.resolved ? whole(leak.resolved) : null],
      ]),
    );
  }
}

/** Why it is still there: the chain from a root, the step that a person would cut marked. */
function heldBy(chain) {
  if (!chain) return null;
  const steps = [];
  for (const step of String(chain).split(" -> ")) {
    const cut = /^\[cut: (.*)\]$/.exec(step);
    steps.push(make("li", {}, cut ? make("mark", { title: "cut it here" }, make("code", {}, cut[1])) : make("code", {}, step)));
  }
  return make("div", { class: "held-by" }, make("h3", {}, "Held by (cut it at the marked step)"), make("ol", {}, ...steps));
}
