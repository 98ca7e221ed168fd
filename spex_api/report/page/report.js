"use strict";
// The page reads without this. It computes what the surrogate predicts when parts are taken out,
// shows which parts go together, and sorts the tables. Texts are only ever put in as text.
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const { names, effects, sets, coefficients, interactions } = facts;
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const SVG = "http://www.w3.org/2000/svg";

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const shape = (tag, attributes, text) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const signed = (value, digits = 3) => {
    const said = Math.abs(value).toFixed(digits);
    return Number(said) === 0 ? said : (value < 0 ? "−" : "+") + said;
  };
  const side = (value) => (value > 0 ? "up" : "down");
  const longest = interactions.reduce((most, row) => Math.max(most, Math.abs(row[1])), 0) || 1;
  const counted = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

  // What the surrogate predicts: f(m) = Σ F[S] Π (−1)^{m_i}, m = 1 where a part is kept.

  const termsOf = names.map(() => []);
  const coefficientOf = new Map();
  sets.forEach((set, term) => {
    for (const feature of set) termsOf[feature].push(term);
    coefficientOf.set(set.join(), coefficients[term]);
  });
  const signs = Int8Array.from(sets, (set) => (set.length % 2 ? -1 : 1));
  const out = new Set();
  const turn = (feature) => {
    for (const term of termsOf[feature]) signs[term] = -signs[term];
  };
  const value = () => {
    let sum = 0;
    for (let term = 0; term < signs.length; term += 1) sum += signs[term] * coefficients[term];
    return sum;
  };
  const without = (feature) => {
    let change = 0;
    for (const term of termsOf[feature]) change -= 2 * signs[term] * coefficients[term];
    return change;
  };
  const whole = value();
  const nothing = sets.reduce((sum, _, term) => sum + coefficients[term], 0);
  const share = (prediction) => 1 / (1 + Math.exp(-prediction));
  const read = (prediction) => (facts.shares ? share(prediction) : prediction);
  const said = (prediction, digits = 2) =>
    facts.shares ? `${(100 * share(prediction)).toFixed(0)} %` : signed(prediction, digits);
  const apart = (change, digits = 2) =>
    facts.shares ? `${signed(100 * change, 0)} points` : signed(change, digits);
  const within = () =>
    facts.exhaustive ? null : (facts.near !== null && out.size && out.size < 4 ? facts.near : facts.within);

  // The prompt's parts. One of them is in the order of tabs; the arrows move from it.

  const turns = find(".turns");
  const parts = all("[data-f]", turns);
  const partsOf = names.map(() => []);
  const featureOf = (target) => {
    const part = target instanceof Element ? target.closest("[data-f]") : null;
    return part && turns.contains(part) ? Number(part.dataset.f) : null;
  };
  for (const part of parts) {
    partsOf[Number(part.dataset.f)].push(part);
    part.setAttribute("role", "button");
    part.setAttribute("tabindex", "-1");
    part.setAttribute("aria-pressed", "false");
    const effect = part.getAttribute("title");
    if (effect !== null) {
      part.setAttribute("aria-description", `on average ${effect}`);
      part.removeAttribute("title");
    }
  }
  let stop = parts[0];
  if (stop) stop.setAttribute("tabindex", "0");
  const moveStop = (part) => {
    stop.setAttribute("tabindex", "-1");
    part.setAttribute("tabindex", "0");
    stop = part;
  };

  // Partners: the interactions of two and more that a part takes part in, the strongest first.

  const rowsOf = names.map(() => []);
  for (const row of interactions) {
    if (row[0].length > 1) for (const feature of row[0]) rowsOf[feature].push(row);
  }
  const SHOWN = 12;
  const arcs = find(".arcs", turns);
  let touched = [];
  let pointed = null;
  let held = null;
  let drawn;

  const partnersOf = (feature) => {
    // What may be nothing is drawn only where there is nothing else; the list beside has it all.
    const rows = rowsOf[feature];
    const sure = rows.filter((row) => row[4] !== "unsure");
    const partners = new Map();
    for (const row of sure.length ? sure : rows.slice(0, 3)) {
      for (const other of row[0]) {
        if (other !== feature && !partners.has(other)) partners.set(other, row);
      }
      if (partners.size >= SHOWN) break;
    }
    return partners;
  };
  const anchor = (feature, ground) => {
    // Of several parts, as a document's number and its text, the longest.
    const part = partsOf[feature].reduce(
      (most, each) => (most && most.textContent.length >= each.textContent.length ? most : each), null);
    const box = part?.getClientRects()[0];
    if (!box) return null;
    const inside = part instanceof SVGElement ? box.height / 2 : 0;
    return { x: box.left + Math.min(box.width, 240) / 2 - ground.left, y: box.top + inside - ground.top };
  };
  const arc = (from, to, row) => {
    // Bent upwards along a line of text, and to the right from one line to another.
    const [across, down] = [to.x - from.x, to.y - from.y];
    const length = Math.hypot(across, down) || 1;
    const lift = 16 + Math.min(90, 0.22 * length);
    const x = (from.x + to.x) / 2 + Math.abs((lift * down) / length);
    const y = (from.y + to.y) / 2 - Math.abs((lift * across) / length);
    const width = 1.2 + (4 * Math.abs(row[1])) / longest;
    const d = `M${from.x},${from.y} Q${x},${y} ${to.x},${to.y}`;
    return [
      shape("path", { d, class: "halo", "stroke-width": (width + 3).toFixed(2) }),
      shape("path", { d, class: `${side(row[1])} ${row[4]}`, "stroke-width": width.toFixed(2) }),
    ];
  };
  const clear = (x, y, places) => {
    // Short words stand closer than their badges are wide: then one goes above the other.
    const covers = (place) => Math.abs(place.x - x) < 40 && Math.abs(place.y - y) < 12;
    return places.some(covers) ? clear(x, y - 13, places) : y;
  };
  const light = (feature) => {
    for (const part of touched) part.classList.remove("here", "partner", "with-up", "with-down");
    touched = [];
    if (feature === null) {
      arcs.replaceChildren();
      turns.classList.remove("lit");
      return;
    }
    // All reading before all writing: a long prompt is laid out once.
    const partners = partnersOf(feature);
    const ground = turns.getBoundingClientRect();
    const from = anchor(feature, ground);
    const ends = [...partners].map(([other, row]) => [row, anchor(other, ground), other]);
    const lines = [];
    const badges = [];
    const places = [];
    for (const [row, to, other] of ends) {
      for (const part of partsOf[other]) {
        part.classList.add("partner", `with-${side(row[1])}`);
        touched.push(part);
      }
      if (!from || !to) continue;
      lines.push(...arc(from, to, row));
      const y = clear(to.x, to.y - 3, places);
      places.push({ x: to.x, y });
      const place = { x: to.x, y, "text-anchor": "middle", class: `badge ${side(row[1])}` };
      badges.push(shape("text", place, signed(row[1], 2)));
    }
    for (const part of partsOf[feature]) {
      part.classList.add("here");
      touched.push(part);
    }
    arcs.replaceChildren(...lines, ...badges);
    turns.classList.add("lit");
  };

  const numbersBehind = (row) => {
    if (row[0].length !== 2 || !/^F?BII$/.test(facts.index)) return "";
    const half = 2 * (coefficientOf.get(row[0].join()) ?? 0);
    const [first, second] = row[0].map((feature) => effects[feature]);
    return ` Alone ${signed(first - half, 2)} and ${signed(second - half, 2)}, both ${signed(first + second, 2)}.`;
  };
  const sentence = (row) => {
    const [features, strength, , , kind] = row;
    const size = Math.abs(strength).toFixed(2);
    const way = strength > 0 ? "higher" : "lower";
    if (kind === "unsure") return "Its interval holds 0: it may be nothing.";
    if (features.length > 2) {
      return `All ${features.length} together: ${size} ${way} than fewer of them add up to.`;
    }
    const told = {
      synergy: `Synergy: together it is ${size} ${way} than the two alone add up to.`,
      redundancy: `Redundancy: each makes the other partly superfluous, together ${size} less.`,
      "only together": `Hardly anything alone; together it is ${size} ${way}.`,
      opposed: `Alone they pull different ways; together it is ${size} ${way} than the two add up to.`,
    }[kind];
    return (told ?? "") + numbersBehind(row);
  };
  const gauge = (row) => {
    const [, strength, low, high] = row;
    const scale = 46 / longest;
    const clamp = (end) => Math.min(100, Math.max(0, 50 + scale * end));
    const [left, right] = [50, 50 + scale * strength].sort((a, b) => a - b);
    const svg = shape("svg", { class: "bar", "aria-hidden": "true", width: "100%", height: "16" });
    svg.append(shape("line", { class: "zero", x1: "50%", x2: "50%", y1: 0, y2: 16 }));
    const size = { x: `${left}%`, y: 4, width: `${right - left}%`, height: 8, rx: 2 };
    svg.append(shape("rect", { class: side(strength), ...size }));
    if (low !== null && high !== null) {
      const ends = { x1: `${clamp(low)}%`, x2: `${clamp(high)}%`, y1: 8, y2: 8 };
      svg.append(shape("line", { class: "reach", ...ends }));
    }
    return svg;
  };
  const reach = (row, digits = 3) =>
    row[2] === null || row[3] === null
      ? "not known"
      : `${signed(row[2], digits)} … ${signed(row[3], digits)}`;

  const told = (row, members) => {
    const links = members.flatMap((member, place) => {
      const link = element("button", { type: "button", class: "link", "data-hold": member }, names[member]);
      return place ? [" + ", link] : [link];
    });
    const strength = element("span", { class: `value ${side(row[1])}` }, signed(row[1], 2));
    const line = element("p", { class: "pair" }, element("span", { class: "what" }, ...links), strength);
    const sure = row[2] === null ? "" : `90 %: ${reach(row, 2)}. `;
    return element("li", {}, line, element("p", { class: "note" }, sure + sentence(row)));
  };
  const invite = () => {
    const strongest = interactions.filter((row) => row[0].length > 1).slice(0, 4);
    const hint = strongest.length
      ? "Point at a part, or begin with what goes together most:"
      : "Point at a part.";
    const items = element("ol", { class: "partners" }, ...strongest.map((row) => told(row, row[0])));
    find("#inspect").replaceChildren(element("p", { class: "note" }, hint), items);
  };
  const inspect = (feature) => {
    const panel = find("#inspect");
    const rows = rowsOf[feature].slice(0, 8);
    const change = read(value() + without(feature)) - read(value());
    const act = out.has(feature) ? "Putting it back" : "Taking it out";
    const items = rows.map((row) => told(row, row[0].filter((each) => each !== feature)));
    const rest = rowsOf[feature].length - rows.length;
    const empty = interactions.some((row) => row[0].length > 1)
      ? "It has no partner among the interactions that were found."
      : "This index lists parts alone: ask for order 2 to see partners.";
    panel.replaceChildren(
      element("p", { class: "name" }, names[feature]),
      element("p", {}, "Keeping it moves the value by ",
        element("strong", { class: side(effects[feature]) }, signed(effects[feature], 2)),
        ` on average. ${act} now: ${apart(change)}.`),
      items.length ? element("ol", { class: "partners" }, ...items) : element("p", { class: "note" }, empty),
      rest > 0 ? element("p", { class: "note" }, `And ${counted(rest, "more interaction")} of it below.`) : "",
    );
  };
  const show = () => {
    const feature = pointed ?? held;
    if (feature !== drawn) {
      light(feature);
      drawn = feature;
    }
    if (feature !== null) inspect(feature);
  };
  let waiting = 0;
  const showSoon = () => {
    if (!waiting) {
      waiting = requestAnimationFrame(() => {
        waiting = 0;
        show();
      });
    }
  };
  const hold = (feature) => {
    if (held !== null) for (const part of partsOf[held]) part.removeAttribute("aria-current");
    held = held === feature ? null : feature;
    if (held !== null) for (const part of partsOf[held]) part.setAttribute("aria-current", "true");
    showSoon();
  };

  // What if: parts are taken out, and the prediction moves.

  let speaking = 0;
  const scale = find("#scale");
  const drawScale = (now, give) => {
    const marks = [read(whole), read(nothing), now - (give ?? 0), now + (give ?? 0)];
    if (facts.threshold !== null) marks.push(read(facts.threshold));
    let [low, high] = facts.shares ? [0, 1] : [Math.min(...marks), Math.max(...marks)];
    const margin = facts.shares ? 0 : 0.06 * (high - low || 1);
    [low, high] = [low - margin, high + margin];
    const at = (mark) => `${(4 + 92 * Math.min(1, Math.max(0, (mark - low) / (high - low)))).toFixed(2)}%`;
    const tick = (mark, kind, text) => [
      shape("line", { class: kind, x1: at(mark), x2: at(mark), y1: 12, y2: 28 }),
      shape("text", { x: at(mark), y: 42, "text-anchor": "middle" }, text),
    ];
    const drawing = [shape("line", { class: "track", x1: "2%", x2: "98%", y1: 20, y2: 20 })];
    if (facts.threshold !== null) drawing.push(shape("line", { class: "other", x1: at(read(facts.threshold)), x2: at(read(facts.threshold)), y1: 6, y2: 34 }));
    drawing.push(...tick(read(whole), "tick", "whole"));
    const distance = Math.abs(parseFloat(at(read(whole))) - parseFloat(at(read(nothing))));
    drawing.push(...tick(read(nothing), "tick", distance > 18 ? "nothing" : ""));
    if (give !== null) {
      const ends = { x1: at(now - give), x2: at(now + give), y1: 20, y2: 20 };
      drawing.push(shape("line", { class: "band", ...ends }));
    }
    drawing.push(shape("circle", { class: "dot", cx: at(now), cy: 20, r: 6 }));
    scale.replaceChildren(...drawing);
  };
  const tell = () => {
    const prediction = value();
    const now = read(prediction);
    const give = within();
    const output = find("#now");
    output.value = said(prediction);
    output.dataset.value = String(now);
    find("#give").textContent =
      give === null ? "" : `± ${facts.shares ? `${(100 * give).toFixed(0)} points` : give.toFixed(2)}`;
    const change = now - read(whole);
    const story = out.size
      ? `${counted(out.size, "part")} out: ${apart(change)} from the whole at ${said(whole)}.`
      : `The whole, as the surrogate predicts it${facts.full === null ? "" : `; measured ${facts.full}`}.`;
    const sure = facts.exhaustive
      ? " Every mask was asked."
      : give === null
        ? " How far off it may be is not known."
        : " Nine in ten unseen answers lie within the band.";
    find("#told").textContent = story + sure;
    drawScale(now, give);
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      find("#live").textContent = `Predicted ${said(prediction)}. ${story}`;
    }, 300);
    if (pointed !== null || held !== null) showSoon();
  };
  const setOut = (feature, leave) => {
    if (out.has(feature) === leave) return;
    turn(feature);
    if (leave) out.add(feature);
    else out.delete(feature);
    for (const part of partsOf[feature]) {
      part.classList.toggle("out", leave);
      part.setAttribute("aria-pressed", String(leave));
    }
  };
  const setAll = (leaves) => {
    names.forEach((_, feature) => setOut(feature, leaves(feature)));
    tell();
  };
  const toggle = (feature) => {
    setOut(feature, !out.has(feature));
    tell();
  };

  // Hands: pointer and keyboard.

  let mode = "look";
  turns.addEventListener("pointerover", (event) => {
    const feature = featureOf(event.target);
    if (feature !== null && feature !== pointed) {
      pointed = feature;
      showSoon();
    }
  });
  turns.addEventListener("pointerleave", () => {
    pointed = null;
    showSoon();
  });
  turns.addEventListener("click", (event) => {
    const feature = featureOf(event.target);
    if (feature === null) return;
    moveStop(event.target.closest("[data-f]"));
    if (mode === "out") toggle(feature);
    else hold(feature);
  });
  turns.addEventListener("focusin", (event) => {
    pointed = featureOf(event.target);
    showSoon();
  });
  turns.addEventListener("focusout", () => {
    pointed = null;
    showSoon();
  });
  const nextLine = (from, step) => {
    const box = from.getBoundingClientRect();
    const centre = box.left + box.width / 2;
    let best = null;
    let line = null;
    for (let at = parts.indexOf(from) + step; parts[at]; at += step) {
      const other = parts[at].getBoundingClientRect();
      const apartFrom = step > 0 ? other.top - box.top : box.top - other.top;
      if (apartFrom < box.height / 2) continue;
      if (line !== null && Math.abs(other.top - line) > box.height / 2) break;
      line = other.top;
      const distance = Math.abs(other.left + other.width / 2 - centre);
      if (best === null || distance < best.distance) best = { distance, part: parts[at] };
    }
    return best?.part;
  };
  turns.addEventListener("keydown", (event) => {
    const part = event.target.closest("[data-f]");
    if (!part || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = parts.indexOf(part);
    const goal = {
      ArrowRight: () => parts[place + 1],
      ArrowLeft: () => parts[place - 1],
      ArrowDown: () => nextLine(part, 1),
      ArrowUp: () => nextLine(part, -1),
      Home: () => parts[0],
      End: () => parts.at(-1),
    }[event.key];
    if (goal) {
      const next = goal();
      if (next) {
        moveStop(next);
        next.focus();
      }
    } else if (event.key === "Enter") hold(featureOf(part));
    else if (event.key === " ") toggle(featureOf(part));
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && held !== null) hold(held);
  });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    const { mode: chosen, keep, out: left, only, hold: named } = button.dataset;
    const listed = (text) => new Set(text.split(" ").map(Number));
    if (chosen) {
      mode = chosen;
      turns.classList.toggle("taking", mode === "out");
      for (const each of all("[data-mode]")) each.setAttribute("aria-pressed", String(each === button));
    } else if (keep) setAll(() => keep === "none");
    else if (left !== undefined) {
      const gone = listed(left);
      setAll((feature) => gone.has(feature));
    } else if (only !== undefined) {
      const kept = listed(only);
      setAll((feature) => !kept.has(feature));
    } else if (named !== undefined) {
      const feature = Number(named);
      if (held !== feature) hold(feature);
      pointed = null;
      partsOf[feature][0]?.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
    }
  });
  // Beside a prompt that scrolls, all of it at a glance: a stroke for each part that moves the value.

  const strongest = effects.reduce((most, effect) => Math.max(most, Math.abs(effect)), 0) || 1;
  const box = find(".scroll");
  const map = () => {
    const strip = find(".map");
    const long = box.scrollHeight > 1.3 * box.clientHeight;
    box.parentElement.classList.toggle("mapped", long);
    if (!long) return;
    const ground = turns.getBoundingClientRect();
    const strokes = [];
    names.forEach((_, feature) => {
      const size = Math.abs(effects[feature]) / strongest;
      const top = partsOf[feature][0]?.getBoundingClientRect().top;
      if (size < 0.15 || top === undefined) return;
      const y = `${((100 * (top - ground.top)) / ground.height).toFixed(2)}%`;
      const width = `${(100 * size).toFixed(1)}%`;
      strokes.push(shape("rect", { class: side(effects[feature]), x: 0, y, width, height: 3, rx: 1 }));
    });
    strip.replaceChildren(...strokes);
  };
  find(".map").addEventListener("click", (event) => {
    const strip = event.currentTarget.getBoundingClientRect();
    const share = (event.clientY - strip.top) / strip.height;
    box.scrollTo({ top: share * box.scrollHeight - box.clientHeight / 2, behavior: calm.matches ? "auto" : "smooth" });
  });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  addEventListener("resize", () => {
    drawn = undefined;
    showSoon();
    map();
  });
  addEventListener("beforeprint", () => {
    for (const each of all("details")) each.open = true;
  });

  // Tables: sorted by any column, filtered by words, shown piece by piece.

  const FIRST = 25;
  const wordsOf = (row) => row[0].map((feature) => names[feature]).join(" + ");
  const keys = {
    words: (row) => wordsOf(row),
    value: (row) => Math.abs(row[1]),
    low: (row) => row[2] ?? -Infinity,
    kind: (row) => row[4],
  };
  const tables = all("table.interactions").map((table) => {
    const order = Number(table.dataset.order);
    const rows = interactions.filter((row) => row[0].length === order);
    const more = element("button", { type: "button", class: "more" });
    table.after(element("p", { class: "after" }, more));
    const state = { table, rows, key: "value", falling: true, limit: FIRST, more, with: "" };
    more.addEventListener("click", () => {
      state.limit += 250;
      fill(state);
    });
    for (const head of all("th[data-sort]", table)) {
      const button = element("button", { type: "button" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        state.falling = state.key === head.dataset.sort ? !state.falling : head.dataset.sort === "value";
        state.key = head.dataset.sort;
        for (const other of all("th[data-sort]", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
        fill(state);
      });
    }
    return state;
  });
  const fill = (state) => {
    const kept = state.rows.filter((row) => !state.with || wordsOf(row).toLowerCase().includes(state.with));
    const by = keys[state.key];
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    const way = state.falling ? -1 : 1;
    kept.sort((a, b) => way * compare(by(a), by(b)));
    const shown = kept.slice(0, state.limit).map((row) => {
      const link = element("button", { type: "button", class: "link", "data-hold": row[0][0] }, wordsOf(row));
      const cells = [
        element("td", { class: "words" }, link),
        element("td", { class: "number" }, signed(row[1])),
        element("td", { class: "number wide" }, reach(row)),
        element("td", { class: "drawn" }, gauge(row)),
      ];
      if (row[0].length > 1) cells.push(element("td", { class: "kind" }, row[4]));
      return element("tr", {}, ...cells);
    });
    find("tbody", state.table).replaceChildren(...shown);
    const rest = kept.length - shown.length;
    state.more.hidden = rest <= 0;
    state.more.textContent = `Show ${Math.min(250, rest)} more of ${rest.toLocaleString("en")}`;
    return kept.length;
  };
  const filter = find("#filter");
  if (filter) {
    find(".filter").hidden = interactions.length < 8;
    filter.addEventListener("input", () => {
      const sought = filter.value.trim().toLowerCase();
      let found = 0;
      for (const state of tables) {
        state.with = sought;
        state.limit = FIRST;
        found += fill(state);
      }
      find("#matches").textContent = sought ? (found === 1 ? "1 match" : `${found.toLocaleString("en")} matches`) : "";
    });
  }

  for (const part of all(".script")) part.hidden = false;
  tables.forEach(fill);
  if (find("#inspect")) invite();
  tell();
  map();
  document.documentElement.dataset.ready = "true";
})();
