// Tables that can be sorted by their heads and narrowed down. Without this script they are whole and in order.
"use strict";

/** The number or text that a cell is sorted by; null comes last. */
function keyOf(cell) {
  const value = cell.dataset.value;
  if (value === undefined) return null;
  return value.trim() === "" || Number.isNaN(Number(value)) ? value : Number(value);
}

/** Numbers before texts. */
function compare(a, b) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
}

/** Sort by a column: up, down, and back to the order of the page. */
function makeSortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const original = [...body.rows];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.ariaSort = "none";
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort];
      for (const other of heads) other.ariaSort = "none";
      head.ariaSort = next;
      const sign = { none: 0, ascending: 1, descending: -1 }[next];
      const keyed = original.map((row) => [keyOf(row.cells[column]), row]);
      if (sign !== 0) {
        keyed.sort(([a], [b]) =>
          a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
      }
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

/** Show the rows that hold all words of the text field and what is chosen in each select box. */
function makeFilterable(table, controls) {
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    texts: [...row.cells].map((cell) => cell.textContent.trim()),
    all: row.textContent.toLowerCase(),
  }));
  const field = controls.querySelector("input");
  const selects = [...controls.querySelectorAll("select")];
  const count = controls.querySelector("output");
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { row, texts, all } of rows) {
      const fits = words.every((word) => all.includes(word))
        && selects.every(({ value, dataset }) => value === "" || texts[dataset.column] === value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  };
  for (const event of ["input", "change"]) controls.addEventListener(event, apply);
  controls.hidden = false;
  apply();
}

for (const section of document.querySelectorAll("section.table")) {
  const table = section.querySelector("table");
  makeSortable(table);
  const controls = section.querySelector(".controls");
  if (controls) makeFilterable(table, controls);
}
