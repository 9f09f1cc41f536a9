// DOM nodes that explain one candidate's outcome: its scores, and its texts beside the seed's.
// Texts come from models and users, so they are set as text, never as markup.
const explanation = (function () {
  "use strict";

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function number(value) {
    return value === null ? "-" : value.toFixed(3);
  }

  function count(value) {
    return value.toLocaleString("en");
  }

  // `measured` has the columns of the table. `texts` is null if the page's size limit excludes them.
  function nodes(measured, seed, candidate, texts, position, marksChanges) {
    const own = texts && texts.candidates[position];
    const parts = [
      element("p", candidate.why[0].toUpperCase() + candidate.why.slice(1) + ".", "why"),
      element("p", `For this seed: ${seed.outcome}.`, "note"),
      scores(measured, seed, candidate, own && own.judge),
    ];
    if (!texts) return [...parts, element("p", `${measured.start} ... (full texts are not included in this page)`)];
    if (texts.context.length) parts.push(earlierTurns(texts.context));
    return [...parts, comparison(texts, own, marksChanges)];
  }

  function scores(measured, seed, candidate, judgeSays) {
    const orders = { true: ", both orders agree", false: ", the orders disagree", null: "" };
    const facts = [
      ["Pair", measured.pair + (candidate.base ? " (base pair)" : "")],
      ["Propensity", `${number(candidate.propensity)}, ${candidate.neighbours} neighbours recalled`],
      ["IFD target", `${number(measured.target_ifd)} (seed ${number(seed.target_ifd)})`],
      ["IFD larger", `${number(measured.larger_ifd)} (seed ${number(seed.larger_ifd)})`],
      ["IFD gap", number(measured.ifd_gap)],
      ["Judge win", `${number(measured.judge_win)} (shown first ${number(candidate.judge_win_first)}, `
        + `second ${number(candidate.judge_win_second)}${orders[candidate.agreement]})`],
      ["Judge's reason", judgeSays || "-"],
      ["Difficulty", number(candidate.difficulty)],
      ["Reward", number(measured.reward)],
      ["Tokens", `${count(candidate.tokens_in)} prompt, ${count(candidate.tokens_out)} generated`],
      ["Ids", `row ${seed.row}, seed ${seed.id}, candidate ${candidate.id}`],
    ];
    const made = element("dl", undefined, "facts");
    for (const [name, value] of facts) made.append(element("dt", name), element("dd", value));
    return made;
  }

  function earlierTurns(turns) {
    const made = element("details");
    made.append(element("summary", turns.length === 1 ? "1 earlier turn" : `${turns.length} earlier turns`));
    for (const [role, text] of turns) made.append(element("p", `${role}: ${text}`, "text"));
    return made;
  }

  // Both texts side by side; words that occur in only one of them are marked.
  function comparison(texts, candidate, marksChanges) {
    const made = element("div", undefined, "sides");
    const left = element("div", undefined, "side"), right = element("div", undefined, "side");
    left.append(element("h4", "Seed"));
    right.append(element("h4", candidate.exchange ? "Candidate" : "Rejected text"));
    texts.seed.forEach((text, n) => {
      if (n === 1 && texts.reasoning) left.append(reasoning(texts.reasoning));
      if (n === 1 && candidate.reasoning) right.append(reasoning(candidate.reasoning));
      const kind = n === 0 ? "text instruction" : "text";
      const other = candidate.exchange ? candidate.exchange[n] : null;
      const [before, after] = marksChanges && other !== null
        ? difference(text, other) : [[[text, true]], [[other, true]]];
      left.append(marked(before, "del", kind));
      if (other !== null) right.append(marked(after, "ins", kind));
    });
    if (!candidate.exchange) right.append(element("div", candidate.rejected || "No text was kept.", "text"));
    made.append(left, right);
    return made;
  }

  function reasoning(text) {
    const made = element("details");
    made.append(element("summary", "Reasoning"), element("div", text, "text"));
    return made;
  }

  function marked(pieces, tag, kind) {
    const made = element("div", undefined, kind);
    made.dir = "auto";
    for (const [text, kept] of pieces) made.append(kept ? text : element(tag, text));
    return made;
  }

  return { element, number, count, nodes };
})();
