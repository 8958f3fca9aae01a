"use strict";
// Sorting, filtering and folding; without this script every run is there, the latest first.
const table = document.getElementById("runs");
if (table) {
  const heads = [...table.tHead.rows[0].cells];
  const groups = [...table.tBodies].map((body) => {
    const about = [...body.rows].filter((row) => row.classList.contains("whole-sweep"));
    return { body, about, head: about[0], rows: [...body.rows].slice(about.length), open: about.length === 0 };
  });
  const shown = (cell) => (cell.firstElementChild || cell).textContent.trim();
  const made = (name, values) => Object.assign(document.createElement(name), values);

  // sorting: by the value of a cell, what has none comes last
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.s ?? shown(cell);
    return heads[column].classList.contains("number") ? (text === "" ? null : Number(text)) : text || null;
  };
  const sort = (column, down) => {
    const by = (row) => {
      const key = value(row, column);
      return typeof key === "number" && Number.isNaN(key) ? null : key;
    };
    const order = (a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      const found = typeof a.key === "number" ? a.key - b.key : a.key < b.key ? -1 : Number(a.key > b.key);
      return down ? -found : found;
    };
    const sorted = (items, row) => items.map((item) => ({ item, key: by(row(item)) })).sort(order).map((each) => each.item);
    for (const group of groups) {
      if (group.head) group.body.append(...sorted(group.rows, (row) => row));
    }
    table.append(...sorted(groups, (group) => group.head || group.rows[0]).map((group) => group.body));
    heads.forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  heads.forEach((head, column) => {
    const button = made("button", { type: "button", className: "sort", textContent: head.textContent });
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now ? now === "ascending" : head.dataset.first === "down");
    });
    head.replaceChildren(button);
  });

  // filtering
  const controls = document.getElementById("controls");
  const labelled = (text, field) => {
    const label = made("label", { textContent: text + " " });
    label.append(field);
    controls.append(label);
    return field;
  };
  const text = labelled("Find", made("input", { type: "search", placeholder: "id, note, code, hash" }));
  const columnOf = (name) => heads.findIndex((head) => head.textContent === name);
  const choices = ["model", "features", "status"].map((name) => {
    const column = columnOf(name);
    const values = new Set(groups.flatMap((group) => group.rows).map((row) => shown(row.cells[column])));
    const field = made("select", {});
    field.append(made("option", { value: "", textContent: "all" }));
    for (const each of [...values].filter(Boolean).sort()) field.append(made("option", { value: each, textContent: each }));
    return { column, field: labelled(name[0].toUpperCase() + name.slice(1), field) };
  });
  const clear = made("button", { type: "button", textContent: "Show all" });
  controls.append(clear);
  for (const group of groups) {
    group.name = group.head ? group.head.cells[0].textContent.toLowerCase() : "";
    group.texts = group.rows.map((row) => row.textContent.toLowerCase());
  }
  const status = document.getElementById("shown");
  const all = groups.reduce((n, group) => n + group.rows.length, 0);
  const show = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = choices.filter((choice) => choice.field.value);
    const filtered = words.length > 0 || chosen.length > 0;
    let n = 0;
    for (const group of groups) {
      let matching = 0;
      group.rows.forEach((row, place) => {
        const matches = words.every((word) => group.texts[place].includes(word) || group.name.includes(word))
          && chosen.every((choice) => shown(row.cells[choice.column]) === choice.field.value);
        row.hidden = !matches || !(group.open || filtered);
        matching += matches;
      });
      if (group.head) {
        for (const row of group.about) row.hidden = matching === 0;
        group.button.setAttribute("aria-expanded", String(group.open || filtered));
        group.button.disabled = filtered;
      }
      n += matching;
    }
    clear.hidden = !filtered;
    status.textContent = n === all ? `${all.toLocaleString("en")} runs` : `${n.toLocaleString("en")} of ${all.toLocaleString("en")} runs`;
  };
  for (const group of groups.filter((each) => each.head)) {
    group.button = made("button", { type: "button", className: "fold", textContent: `${group.rows.length} runs` });
    group.button.addEventListener("click", () => { group.open = !group.open; show(); });
    group.head.cells[0].firstElementChild.after(" ", group.button);
  }
  let waiting = 0;
  text.addEventListener("input", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(show); });
  for (const choice of choices) choice.field.addEventListener("change", show);
  clear.addEventListener("click", () => {
    text.value = "";
    for (const choice of choices) choice.field.value = "";
    show();
    text.focus();
  });
  controls.hidden = false;
  show();
}
