// Building and updating the page's elements. Values only ever become text nodes and
// attributes that run nothing: the page's policy forbids turning text into markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; children are nodes or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** As `make`, for SVG. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
}

export function byId(id) {
  return document.getElementById(id);
}

/** Change a text only where it is another one, so that selections stay. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show a line of text, or hide it where there is none. */
export function say(element, text) {
  element.hidden = !text;
  write(element, text || "");
}

/**
 * Keep a container's children in step with a list: the same key keeps its element,
 * with what is open, selected or focused in it.
 */
export class KeyedList {
  constructor(container, create) {
    this.container = container;
    this.create = create;
    this.known = new Map();
  }

  show(items, keyOf) {
    const wanted = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const row = this.known.get(key) || this.create(item);
      row.update(item);
      wanted.set(key, row);
    }
    for (const [key, row] of this.known) {
      if (!wanted.has(key)) row.element.remove();
    }
    let place = this.container.firstElementChild;
    for (const row of wanted.values()) {
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.container.insertBefore(row.element, place);
      }
    }
    this.known = wanted;
  }
}
