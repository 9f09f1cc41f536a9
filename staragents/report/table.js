// The candidate table: search, filters and sorting; a row opens its explanation (explanation.js).
// Only visible rows exist. All content comes from models or users, so it is set as text, never as markup.
const candidateTable = (function () {
  "use strict";
  const MEASURES = ["reward", "judge_win", "target_ifd", "larger_ifd"];
  const SPARE_ROWS = 4;
  const BUSY_MS = 30;

  const { element, number, count } = explanation;
  const by = (id) => document.getElementById(id);
  const view = by("table-view"), list = by("table-rows"), dialog = by("details");
  const search = by("table-search"), outcomes = by("table-outcome"), pairs = by("table-pair");
  const order = by("table-order");
  const packed = JSON.parse(by("candidates-data").textContent);
  const unpackedBlocks = new Map();
  const drawn = [];
  let index, seedOf, firstOf;
  let shown = []; // rows that pass the filters, in the chosen order
  let active = 0; // index in `shown`
  let newest = 0; // a slower search must not overwrite the result of a later one
  let opened = 0;

  // ---- data

  async function unpacked(base64) {
    const letters = atob(base64), bytes = new Uint8Array(letters.length);
    for (let n = 0; n < letters.length; n++) bytes[n] = letters.charCodeAt(n);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // [facts, texts or null] of a seed, by its index in the table.
  async function seedAt(seed) {
    const number = Math.floor(seed / index.seedsABlock);
    if (!unpackedBlocks.has(number)) unpackedBlocks.set(number, unpacked(packed.blocks[number]));
    return (await unpackedBlocks.get(number))[seed % index.seedsABlock];
  }

  function outcomeOf(row) { return index.names.outcome[index.outcome[row]]; }
  function pairOf(row) { return index.names.pair[index.pair[row]]; }

  // ---- filters

  function fits(row) {
    const outcome = outcomes.value, pair = pairs.value;
    return (!outcome || outcomeOf(row) === outcome || outcomeOf(row).startsWith(outcome + ":"))
      && (!pair || pairOf(row) === pair);
  }

  function haystack(row, [facts, texts]) {
    const candidate = facts.candidates[row - firstOf[seedOf[row]]];
    const found = [facts.seed.id, candidate.id, candidate.why, pairOf(row), outcomeOf(row), index.start[row]];
    if (texts) {
      const own = texts.candidates[row - firstOf[seedOf[row]]];
      found.push(...texts.seed, ...(own.exchange || []), texts.reasoning || "", own.reasoning || "",
        own.rejected, own.judge, ...texts.context.flat());
    }
    return found.join("\n").toLowerCase();
  }

  // The rows that contain every word; null if a newer search started.
  async function matching(rows, words, ticket) {
    const found = [];
    let since = performance.now();
    for (const [done, row] of rows.entries()) {
      const text = haystack(row, await seedAt(seedOf[row]));
      if (words.every((word) => text.includes(word))) found.push(row);
      if (performance.now() - since > BUSY_MS) {
        by("table-count").textContent = `Searching, ${Math.floor(100 * done / rows.length)} % ...`;
        await new Promise((resume) => setTimeout(resume));
        if (ticket !== newest) return null;
        since = performance.now();
      }
    }
    return ticket === newest ? found : null;
  }

  function sort(rows) {
    if (!order.value) return;
    const column = index[order.value.slice(1)], sign = order.value[0] === "-" ? -1 : 1;
    rows.sort((a, b) => {
      const x = column[a], y = column[b];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return sign * (x - y) || a - b;
    });
  }

  async function refresh() {
    const ticket = ++newest;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let rows = Array.from(index.pair.keys()).filter(fits);
    if (words.length) rows = await matching(rows, words, ticket);
    if (rows === null) return;
    sort(rows);
    shown = rows;
    active = 0;
    view.scrollTop = 0;
    by("table-count").textContent = shown.length
      ? `${count(shown.length)} of ${count(index.pair.length)} candidates` : "No candidate matches.";
    draw();
  }

  // ---- rows

  function newRow() {
    const row = element("div", undefined, "grid-row");
    row.setAttribute("role", "row");
    for (let column = 0; column < 8; column++) {
      row.append(element("span"));
      row.lastChild.setAttribute("role", "gridcell");
    }
    list.append(row);
    return row;
  }

  function fill(element, position) {
    const row = shown[position];
    const [seedRow, outcome, pair, start, ...measures] = element.children;
    seedRow.textContent = index.seed_row[row];
    outcome.textContent = outcomeOf(row);
    outcome.className = "outcome " + outcomeOf(row).split(":")[0].replace(" ", "-");
    pair.textContent = pairOf(row);
    start.textContent = index.start[row];
    measures.forEach((cell, n) => { cell.textContent = number(index[MEASURES[n]][row]); });
    element.id = "candidate-" + position;
    element.dataset.position = position;
    element.setAttribute("aria-rowindex", position + 2);
    element.setAttribute("aria-selected", position === active);
    element.style.transform = `translateY(${position * element.offsetHeight}px)`;
  }

  function draw() {
    if (!drawn.length) drawn.push(newRow());
    const height = drawn[0].offsetHeight;
    const first = Math.max(0, Math.floor(view.scrollTop / height) - SPARE_ROWS);
    const last = Math.min(shown.length, first + Math.ceil(view.clientHeight / height) + 2 * SPARE_ROWS);
    list.style.height = shown.length * height + "px";
    view.setAttribute("aria-rowcount", shown.length + 1);
    while (drawn.length < last - first) drawn.push(newRow());
    drawn.forEach((row, n) => {
      row.hidden = first + n >= last;
      if (!row.hidden) fill(row, first + n);
    });
    const visible = active >= first && active < last;
    if (visible) view.setAttribute("aria-activedescendant", "candidate-" + active);
    else view.removeAttribute("aria-activedescendant");
  }

  function activate(position) {
    active = Math.min(Math.max(position, 0), shown.length - 1);
    const height = drawn[0].offsetHeight, head = view.querySelector(".head").offsetHeight;
    const top = active * height, room = view.clientHeight - head - height;
    view.scrollTop = Math.min(Math.max(view.scrollTop, top - room), top);
    draw();
  }

  // ---- one candidate

  async function open(wanted) {
    if (!shown.length) return;
    activate(wanted);
    const ticket = ++opened;
    const row = shown[active], position = row - firstOf[seedOf[row]];
    const [facts, texts] = await seedAt(seedOf[row]);
    if (ticket !== opened) return;
    const measured = { pair: pairOf(row) };
    for (const name of ["start", "ifd_gap", ...MEASURES]) measured[name] = index[name][row];
    by("details-title").textContent = `${outcomeOf(row)} · ${pairOf(row)}`;
    by("details-body").replaceChildren(...explanation.nodes(
      measured, facts.seed, facts.candidates[position], texts, position, by("details-marks").checked,
    ));
    by("details-body").scrollTop = 0;
    by("details-previous").disabled = active === 0;
    by("details-next").disabled = active === shown.length - 1;
    by("details-seed").dataset.seed = facts.seed.id;
    if (!dialog.open) dialog.showModal();
  }

  // ---- events

  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 150); });
  for (const select of [outcomes, pairs, order]) select.addEventListener("change", refresh);
  view.addEventListener("scroll", draw, { passive: true });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".grid-row");
    if (row) open(Number(row.dataset.position));
  });
  view.addEventListener("keydown", (event) => {
    const page = Math.floor(view.clientHeight / drawn[0].offsetHeight) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || event.key === " ") open(active);
    else if (event.key in steps) activate(active + steps[event.key]);
    else return;
    event.preventDefault();
  });
  by("details-previous").addEventListener("click", () => open(active - 1));
  by("details-next").addEventListener("click", () => open(active + 1));
  by("details-marks").addEventListener("change", () => open(active));
  by("details-close").addEventListener("click", () => dialog.close());
  by("details-seed").addEventListener("click", (event) => {
    outcomes.value = pairs.value = order.value = "";
    search.value = event.target.dataset.seed;
    dialog.close();
    refresh();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => view.focus({ preventScroll: true }));

  function offer(select, values) {
    for (const value of values) {
      const option = element("option", value);
      option.value = value;
      select.append(option);
    }
  }

  async function start() {
    index = await unpacked(packed.index);
    seedOf = new Uint32Array(index.pair.length);
    firstOf = new Uint32Array(index.candidates.length);
    let row = 0;
    index.candidates.forEach((size, seed) => {
      firstOf[seed] = row;
      seedOf.fill(seed, row, row += size);
    });
    const groups = index.names.outcome.flatMap((name) => [name.split(":")[0], name]);
    offer(outcomes, [...new Set(groups)]);
    offer(pairs, index.names.pair);
    await refresh();
    new ResizeObserver(draw).observe(view);
    performance.mark("candidates-ready");
  }

  const ready = start().catch((error) => {
    by("table-count").textContent = `The table can't be shown in this browser: ${error.message}`;
  });
  return { ready };
})();
