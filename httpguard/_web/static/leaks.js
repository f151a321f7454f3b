// The list of leaks: one that opens for each kind and site.

import { KeyedList, make, write } from "./elements.js";
import { ago, clock, duration, packageOf, place, plural, progress, siteKey, whole } from "./format.js";

export const KINDS = {
  dropped: "HG101: collected while it held its connection",
  held: "HG102: still referenced, open and idle",
  unreleased: "HG103: closed unread in a blocking pool, never released",
  open: "HG104: still open when its scope ended",
  session: "HG105: one of a crowd of sessions that nobody closed",
};

// As of the reports: what a leak costs beside a dropped response.
const WEIGHTS = { unreleased: 10, held: 5, open: 2, dropped: 1, session: 1 };

function harm(leak) {
  const ended = Math.min(leak.resolved, leak.count);
  return (WEIGHTS[leak.kind] || 1) * (leak.count - ended) + ended;
}

const ORDERS = {
  harm: (a, b) => harm(b) - harm(a) || b.count - a.count,
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

  /** Open a leak's story and bring it into sight. */
  reveal(key) {
    const row = this.rows.known.get(key);
    if (!row) return;
    row.details.open = true;
    row.details.querySelector("summary").focus();
    row.details.scrollIntoView({ block: "start" });
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

/**
 * A stack as a list: the application's own frames and the library's first one below
 * the site; each run of others is folded, and opens by a click.
 */
export function stackOf(row) {
  const site = row.stack.findLastIndex((frame) =>
    frame.filename === row.site.filename && frame.lineno === row.site.lineno && frame.function === row.site.function);
  const items = [];
  let run = [];
  const fold = () => {
    if (run.length) items.push(folded(run));
    run = [];
  };
  row.stack.forEach((frame, index) => {
    if (frame.application || frame.submitted || (site >= 0 && (index === site || index === site + 1))) {
      fold();
      items.push(frameOf(frame));
    } else {
      run.push(frame);
    }
  });
  fold();
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

function frameOf(frame) {
  return make(
    "li",
    { class: frame.application ? "own" : "library" },
    make("code", { class: "where", title: frame.filename },
      frame.application ? make("span", { class: "hidden" }, "your code: ") : null,
      `${place(frame)} in ${frame.function}`),
    frame.source ? make("code", { class: "source" }, frame.source) : null,
  );
}

function folded(frames) {
  const packages = [...new Set(frames.map((frame) => packageOf(frame.filename)))];
  return make(
    "li",
    { class: "library" },
    make("details", { class: "folded" },
      make("summary", {}, `… ${plural(frames.length, "frame", "frames")}: ${packages.join(", ")}`),
      make("ol", {}, ...frames.map(frameOf))),
  );
}

/** A hint, what it has in backticks as code. */
export function prose(text) {
  return String(text).split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

/** The fix, and a button that copies what of it is code, or all. */
export function fixOf(hint) {
  const codes = String(hint).split("`").filter((part, index) => index % 2);
  const button = make("button", { type: "button", class: "copy", title: "Copy the code of the fix" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(codes.length ? codes.join("\n") : String(hint))) ? "Copied" : "Select it";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return make("p", { class: "fix" }, make("span", {}, make("strong", {}, "Fix: "), ...prose(hint)), button);
}

/** Whether a text could be copied; without TLS only the old way may do it. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { class: "hidden" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
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
        leak.site.source ? make("p", { class: "line" }, make("code", {}, leak.site.source)) : null,
        fixOf(leak.hint),
        meaning(leak.kind),
        heldBy(leak.held_by),
        make("h3", {}, `${leak.kind === "session" ? "Made" : "Opened"} here, the innermost call last`),
        stackOf(leak),
        this.facts,
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

/** What a kind means, in place. */
function meaning(kind) {
  if (!(kind in KINDS)) return null;
  const [code, text] = KINDS[kind].split(": ");
  return make("p", { class: "muted meaning" }, `${kind}: ${text}. More: `, make("code", {}, `httpguard explain ${code}`));
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
