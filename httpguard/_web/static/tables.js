// Tables that sort by a click on a heading, and whose rows may open.

import { KeyedList, make, write } from "./elements.js";
import { stackOf, facts } from "./leaks.js";
import { bytes, duration, place, siteKey, whole } from "./format.js";

/**
 * A column: its heading, its text, what it sorts by, and whether it is a number.
 * A cell may be built by `cell` instead, which gets the table cell and the row.
 */
export class Table {
  constructor(table, columns, { keyOf, sort, caption, story }) {
    this.columns = columns;
    this.keyOf = keyOf;
    this.story = story;
    this.sort = { column: sort, down: true };
    this.items = [];
    this.headings = columns.map((column, index) => this.heading(column, index));
    const body = make("tbody");
    this.rows = new KeyedList(body, () => new Row(this));
    table.replaceChildren(
      make("caption", { class: "hidden" }, caption),
      make("thead", {}, make("tr", {}, ...this.headings)),
      body,
    );
    this.mark();
  }

  heading(column, index) {
    const button = make("button", { type: "button" }, column.title, make("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      const same = this.sort.column === index;
      this.sort = { column: index, down: same ? !this.sort.down : Boolean(column.number) };
      this.mark();
      this.show(this.items);
    });
    return make("th", { scope: "col", class: column.number ? "number" : null }, button);
  }

  mark() {
    this.headings.forEach((heading, index) => {
      const chosen = index === this.sort.column;
      heading.setAttribute("aria-sort", chosen ? (this.sort.down ? "descending" : "ascending") : "none");
      heading.querySelector(".arrow").textContent = chosen ? (this.sort.down ? " ↓" : " ↑") : "";
    });
  }

  show(items) {
    this.items = items;
    const turn = this.sort.down ? -1 : 1;
    const by = this.columns[this.sort.column]?.by;
    const sorted = by ? [...items].sort((a, b) => turn * compare(by(a), by(b))) : items;
    this.rows.show(sorted, this.keyOf);
  }
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}

class Row {
  constructor(table) {
    this.table = table;
    this.cells = table.columns.map((column) =>
      make(column.row ? "th" : "td", { scope: column.row ? "row" : null, class: column.number ? "number" : null, "data-title": column.title }),
    );
    this.element = make("tr", {}, ...this.cells);
  }

  update(item) {
    this.table.columns.forEach((column, index) => {
      if (column.cell) column.cell(this.cells[index], item);
      else write(this.cells[index], column.text(item));
    });
  }
}

/** The table of open responses by site. */
export function openTable(table) {
  return new Table(
    table,
    [
      { title: "Site", row: true, by: (row) => `${row.site.filename}:${String(row.site.lineno).padStart(7)}`, cell: siteCell },
      { title: "Open", number: true, by: (row) => row.count, text: (row) => whole(row.count) },
      { title: "Oldest", number: true, by: (row) => row.age, text: (row) => duration(row.age) },
      { title: "Idle", number: true, by: (row) => row.idle, text: (row) => duration(row.idle) },
      { title: "Bytes read", number: true, by: (row) => row.bytes_read, text: (row) => bytes(row.bytes_read) },
      { title: "Oldest request", by: (row) => row.url, cell: requestCell },
    ],
    { keyOf: siteKey, sort: 1, caption: "Open responses by the line that opened them" },
  );
}

function siteCell(cell, row) {
  if (!cell.firstChild) {
    const body = make("div", { class: "story" });
    const details = make(
      "details",
      {},
      make("summary", {}, make("code", { class: "site", title: row.site.filename }, `${place(row.site)} in ${row.site.function}`)),
      body,
    );
    cell.fill = () => {
      if (!details.open) return;
      const identity = JSON.stringify([cell.row.stack, cell.row.thread, cell.row.pool]);
      if (identity === cell.identity) return;
      cell.identity = identity;
      body.replaceChildren(
        facts([
          ["Thread", cell.row.thread],
          ["Client", cell.row.client],
          ["Pool", cell.row.pool],
          ["Allowed", cell.row.allowed ? whole(cell.row.allowed) : null],
          ["Known as leaks", cell.row.judged ? whole(cell.row.judged) : null],
        ]),
        stackOf(cell.row),
      );
    };
    details.addEventListener("toggle", cell.fill);
    cell.append(details);
  }
  cell.row = row;
  cell.fill();
}

function requestCell(cell, row) {
  cell.className = "request";
  write(cell, `${row.method} ${row.url}`);
}

/** The table of pools that are alike; unsorted it is as it comes, the starved first. */
export function poolTable(table) {
  return new Table(
    table,
    [
      { title: "Pool", row: true, by: (pool) => pool.name, cell: poolCell },
      { title: "In use", number: true, by: share, cell: useCell },
      { title: "Waiting", number: true, by: (pool) => pool.waiting, text: (pool) => whole(pool.waiting) },
      { title: "Slots lost", number: true, by: (pool) => pool.lost, cell: lostCell },
      { title: "When full", by: (pool) => Number(pool.block), text: (pool) => (pool.block ? "requests wait" : "opens more") },
    ],
    { keyOf: (pool) => pool.key, sort: null, caption: "Connection pools and their use" },
  );
}

function poolCell(cell, pool) {
  if (!cell.firstChild) cell.append(make("code"));
  write(cell.firstChild, pool.count > 1 ? `${pool.name} × ${whole(pool.count)}` : pool.name);
}

function useCell(cell, pool) {
  if (!cell.firstChild) {
    const fill = make("span", { class: "fill" });
    cell.append(make("span"), make("span", { class: "bar", "aria-hidden": "true" }, fill));
    cell.bar = fill;
  }
  write(cell.firstChild, `${whole(pool.taken)} of ${whole(pool.size)}`);
  cell.bar.style.width = `${Math.round(Math.min(share(pool), 1) * 100)}%`;
  cell.bar.dataset.full = String(share(pool) >= 1);
}

function share(pool) {
  return pool.taken / Math.max(pool.size, 1);
}

function lostCell(cell, pool) {
  cell.classList.toggle("bad", pool.lost > 0);
  write(cell, whole(pool.lost));
}
