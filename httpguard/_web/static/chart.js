// One series of the last hour as a line, with its own scale.

import { draw } from "./elements.js";
import { duration, whole } from "./format.js";

const MARGIN = { top: 8, right: 8, bottom: 22, left: 44 };
// Seconds shown, and between two marks of the time.
const SPANS = [
  [300, 60],
  [900, 300],
  [3600, 900],
];

export class Chart {
  constructor(container, output, noun) {
    this.container = container;
    this.output = output;
    this.noun = noun;
    this.series = container.dataset.series;
    this.points = [];
    this.svg = draw("svg", { role: "img", class: "plot" });
    container.append(this.svg);
    new ResizeObserver(() => this.paint()).observe(container);
    container.addEventListener("pointermove", (event) => this.read(event));
    container.addEventListener("pointerleave", () => this.unread());
  }

  show(history) {
    this.points = history.seconds_ago.map((ago, index) => ({ ago, value: history[this.series][index] }));
    this.paint();
  }

  paint() {
    const width = this.container.clientWidth;
    const height = this.container.clientHeight;
    if (!this.points.length || width < 80) return;
    const oldest = this.points[0].ago;
    const [span, step] = SPANS.find(([seconds]) => oldest <= seconds) || SPANS[SPANS.length - 1];
    const top = ceiling(Math.max(...this.points.map((point) => point.value)));
    const x = (ago) => MARGIN.left + (1 - Math.min(ago / span, 1)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => MARGIN.top + (1 - value / top) * (height - MARGIN.top - MARGIN.bottom);
    this.scale = { x, y, span };
    const parts = [];
    const ticks = top <= 4 ? [...Array(top + 1).keys()] : [0, top / 2, top];
    for (const value of ticks) {
      parts.push(draw("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
      parts.push(draw("text", { class: "tick", x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)));
    }
    for (let ago = span; ago >= 0; ago -= width < 420 ? span : step) {
      const anchor = ago === span ? "start" : ago === 0 ? "end" : "middle";
      const text = ago === 0 ? "now" : `-${ago / 60} min`;
      parts.push(draw("text", { class: "tick", x: x(ago), y: height - 4, "text-anchor": anchor }, text));
    }
    // A value holds until the next sample.
    let line = "";
    let last = null;
    for (const point of this.points.filter((each) => each.ago <= span)) {
      line += last === null ? `M${x(point.ago).toFixed(1)} ${y(point.value).toFixed(1)}` : `H${x(point.ago).toFixed(1)}V${y(point.value).toFixed(1)}`;
      last = point;
    }
    const first = this.points.find((each) => each.ago <= span);
    if (first) {
      parts.push(draw("path", { class: `area ${this.series}`, d: `${line}V${y(0)}H${x(first.ago).toFixed(1)}Z` }));
      parts.push(draw("path", { class: `line ${this.series}`, d: line }));
      parts.push(draw("circle", { class: `dot ${this.series}`, cx: x(last.ago), cy: y(last.value), r: 3.5 }));
    }
    this.cursor = draw("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", this.summary(last, span));
    this.svg.replaceChildren(...parts, this.cursor);
    if (this.pointer !== undefined) this.point();
    else this.output.textContent = `${whole(this.points[this.points.length - 1].value)} now`;
  }

  summary(last, span) {
    const values = this.points.map((point) => point.value);
    return `${this.noun} over the last ${Math.round(span / 60)} minutes: ${whole(last ? last.value : 0)} now, ` +
      `between ${whole(Math.min(...values))} and ${whole(Math.max(...values))}`;
  }

  read(event) {
    this.pointer = event.clientX - this.container.getBoundingClientRect().left;
    this.point();
  }

  point() {
    if (!this.scale) return;
    const { x } = this.scale;
    const nearest = this.points.reduce((best, each) =>
      Math.abs(x(each.ago) - this.pointer) < Math.abs(x(best.ago) - this.pointer) ? each : best);
    this.cursor.setAttribute("x1", x(nearest.ago));
    this.cursor.setAttribute("x2", x(nearest.ago));
    this.cursor.setAttribute("visibility", "visible");
    this.output.textContent = nearest.ago < 1 ? `${whole(nearest.value)} now` : `${whole(nearest.value)}, ${duration(nearest.ago)} ago`;
  }

  unread() {
    this.pointer = undefined;
    this.paint();
  }
}

/** A round number at or above a value, which two halves divide well. */
function ceiling(value) {
  if (value <= 4) return Math.max(value, 1);
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * unit).find((each) => each >= value);
}

function short(value) {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e4 ? `${value / 1e3}k` : whole(value);
}
