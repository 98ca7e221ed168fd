"use strict";
// The page reads without this. It sorts the cases, chooses among them, and shows them piece by
// piece. Texts are only ever put in as text.
(() => {
  const { cases, shown } = JSON.parse(document.getElementById("facts").textContent);
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const SVG = "http://www.w3.org/2000/svg";

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const shape = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const signed = (value) => {
    const said = Math.abs(value).toFixed(2);
    return Number(said) === 0 ? said : (value < 0 ? "−" : "+") + said;
  };
  const counted = (count) => `${count.toLocaleString("en")} case${count === 1 ? "" : "s"}`;

  // One row, as the page has it without its script.

  const share = (value) => `${(100 * Math.min(1, Math.max(0, value))).toFixed(1)}%`;
  const measure = (row) => {
    if (row.faith === null) {
      const said = row.folder === null ? "none" : "not measurable";
      return [element("span", { class: "none" }, said)];
    }
    const [value, low, high] = row.faith;
    const drawing = shape("svg", { class: "gauge", "aria-hidden": "true", width: "100%", height: "12" });
    drawing.append(
      shape("rect", { class: "track", width: "100%", y: 4, height: 4, rx: 2 }),
      shape("rect", { class: row.grade, width: share(value), y: 3, height: 6, rx: 2 }),
      shape("line", { class: "reach", x1: share(low ?? value), x2: share(high ?? value), y1: 6, y2: 6 }),
    );
    return [element("span", { class: "figure" }, value.toFixed(2).replace("-", "−")), drawing];
  };
  const strongest = (row) => {
    if (row.value === null) return [element("span", { class: "note" }, row.error)];
    const value = element("span", { class: `value ${row.value > 0 ? "up" : "down"}` }, signed(row.value));
    return [element("span", { class: "what" }, row.strongest), " ", value];
  };
  const drawn = (row) => {
    const name = row.folder === null
      ? element("span", { class: "name" }, row.id)
      : element("a", { class: "name", href: `cases/${row.folder}/report.html` }, row.id);
    return element("tr", {},
      element("th", { scope: "row", class: "id" }, name),
      ...row.levels.slice(0, shown).map((level) => element("td", { class: "level" }, level)),
      element("td", { class: "ended" }, element("span", { class: `dotted ${row.kind}` }, row.standing)),
      element("td", { class: "measure" }, element("div", {}, ...measure(row))),
      element("td", { class: "words" }, ...strongest(row)),
      element("td", { class: "number" }, row.requests.toLocaleString("en")));
  };

  // Chosen and sorted. What is sought is put together once, since it is compared at every key.

  const FIRST = 100;
  const MORE = 250;
  const table = find("#listing");
  const body = find("tbody", table);
  const more = find("#more");
  const sought = find("#sought");
  const standing = find("#standing");
  const grade = find("#grade");
  const columns = all("select[data-column]");
  const controls = [sought, standing, grade, ...columns];
  const clear = find("#clear");
  const order = new Map([...standing.options].map((option, place) => [option.value, place]));
  const texts = cases.map((row) => `${row.id} ${row.words} ${row.strongest} ${row.error}`.toLowerCase());
  const collate = new Intl.Collator("en", { numeric: true }).compare;
  const keys = {
    standing: (row) => order.get(row.standing) ?? 0,
    faith: (row) => row.faith?.[0] ?? -Infinity,
    strength: (row) => (row.value === null ? -1 : Math.abs(row.value)),
    requests: (row) => row.requests,
  };
  const state = { key: null, falling: false, rows: [] };

  const chosen = () => {
    const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean);
    const levels = columns.filter((each) => each.value).map((each) => [Number(each.dataset.column), each.value]);
    return cases.filter((row, place) =>
      (!standing.value || row.standing === standing.value)
      && (!grade.value || row.grade === grade.value)
      && levels.every(([column, level]) => row.levels[column] === level)
      && words.every((word) => texts[place].includes(word)));
  };
  const sort = (rows) => {
    if (state.key === null) return rows;
    const way = state.falling ? -1 : 1;
    const by = keys[state.key];
    if (by) return rows.sort((a, b) => way * (by(a) - by(b) || 0));
    const said = state.key === "id" ? (row) => row.id : (row) => row.levels[Number(state.key)];
    return rows.sort((a, b) => way * collate(said(a), said(b)));
  };
  const add = (count) => {
    // Those that are shown stay as they are: drawing a thousand again is felt.
    const shownNow = body.rows.length;
    body.append(...state.rows.slice(shownNow, shownNow + count).map(drawn));
    const rest = state.rows.length - body.rows.length;
    more.hidden = rest <= 0;
    more.textContent = `Show ${Math.min(MORE, rest).toLocaleString("en")} more of ${rest.toLocaleString("en")}`;
  };
  const choose = () => {
    state.rows = sort(chosen());
    body.replaceChildren();
    add(FIRST);
    const isChosen = controls.some((each) => each.value);
    find("#matches").textContent = isChosen
      ? `${state.rows.length.toLocaleString("en")} of ${counted(cases.length)}`
      : counted(cases.length);
    clear.hidden = !isChosen;
    for (const each of controls) each.classList.toggle("set", Boolean(each.value));
  };
  let waiting = 0;
  sought.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(choose);
  });
  for (const each of controls.slice(1)) each.addEventListener("change", choose);
  clear.addEventListener("click", () => {
    for (const each of controls) each.value = "";
    choose();
    sought.focus();
  });
  more.addEventListener("click", () => {
    const next = body.rows.length;
    add(MORE);
    find("a, .name", body.rows[next])?.focus();
  });
  for (const head of all("th[data-sort]", table)) {
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const key = head.dataset.sort;
      state.falling = state.key === key ? !state.falling : key === "strength" || key === "requests";
      state.key = key;
      for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
      choose();
    });
  }

  // A finding's parts are a click away from the cases that have them.

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const look = (words, levels) => {
    for (const each of controls) each.value = "";
    sought.value = words;
    for (const [column, level] of levels) {
      const select = columns.find((each) => each.dataset.name === column);
      if (select) select.value = level;
    }
    choose();
    find("#cases").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth" });
    sought.focus({ preventScroll: true });
  };
  for (const parts of all(".parts[data-sought]")) {
    const button = element("button", { type: "button", title: "Show these cases" }, ...parts.childNodes);
    parts.replaceChildren(button);
    const levels = parts.dataset.column === undefined ? [] : [[parts.dataset.column, parts.dataset.level]];
    button.addEventListener("click", () => look(parts.dataset.sought, levels));
  }

  // Long tables of findings are folded; paper shows them whole.

  for (const findings of all(".findings")) {
    const folded = all(".folded", findings);
    if (!folded.length) continue;
    const open = element("button", { type: "button" }, `Show all ${all("tbody tr", findings).length}`);
    const after = element("p", { class: "after" }, open);
    findings.after(after);
    open.addEventListener("click", () => {
      for (const row of folded) row.classList.remove("folded");
      after.remove();
      find("button, a", folded[0])?.focus();
    });
  }

  for (const part of all(".script")) part.hidden = false;
  document.body.classList.add("ready");
  choose();
  document.documentElement.dataset.ready = "true";
})();
