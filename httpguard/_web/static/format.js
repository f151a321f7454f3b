// Values as a person reads them.

const WHOLE = new Intl.NumberFormat("en");

export function whole(number) {
  return WHOLE.format(number);
}

export function plural(number, one, many) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = number;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long before `now` (ISO 8601, both of the program's clock) something was. */
export function ago(when, now) {
  const seconds = (Date.parse(now) - Date.parse(when)) / 1000;
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

export function clock(when) {
  return new Date(when).toLocaleString(undefined, { hour12: false });
}

/** The end of a path that is enough to know the file by. */
export function shortPath(filename) {
  const parts = filename.split(/[\\/]/);
  return parts.length > 3 ? `…/${parts.slice(-2).join("/")}` : filename;
}

/** The top-level package of a library's file, by its path alone. */
export function packageOf(filename) {
  if (filename.startsWith("<")) return filename.replace(/[<>]/g, "").split(" ").pop().split(".")[0];
  const parts = filename.split(/[\\/]/);
  for (let index = parts.length - 2; index >= 0; index -= 1) {
    if (/^((site|dist)-packages|python\d[\d.]*t?(\.zip)?|Lib)$/.test(parts[index])) {
      return parts[index + 1].replace(/\.py$/, "");
    }
  }
  return parts[parts.length - 1].replace(/\.py$/, "");
}

export function place(frame) {
  return `${shortPath(frame.filename)}:${frame.lineno}`;
}

export function siteKey(row) {
  return `${row.kind || ""} ${row.site.filename}:${row.site.lineno} ${row.site.function}`;
}

export function progress(row) {
  const read = bytes(row.bytes_read);
  return row.length === null || row.length === undefined ? `${read} read` : `${read} of ${bytes(row.length)} read`;
}
