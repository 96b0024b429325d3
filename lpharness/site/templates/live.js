"use strict";
// Shows what the server tells of a run as it goes. Texts become text nodes: never markup.
(() => {
  const at = (id) => document.getElementById(id);
  const rows = new Map();
  const SIGNS = { pass: "✓", fail: "✗", error: "?", skip: "–", xfail: "x", xpass: "P", running: "…", interrupted: "?" };
  const LOOKS = { running: "xfail", interrupted: "error" };

  const made = (tag, className, text) => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  };
  const row = (trial) => {
    const item = document.createElement("li");
    const name = made(trial.href ? "a" : "b", "", trial.name);
    if (trial.href) name.href = trial.href;
    item.append(
      made("span", `verdict v-${LOOKS[trial.state] ?? trial.state}`, `${SIGNS[trial.state]} ${trial.state}`),
      name,
      made("span", "said", [trial.words, trial.took].filter(Boolean).join(" · ")),
    );
    return item;
  };
  const show = (told) => {
    at("store").textContent = `${told.trials} trials of ${told.runs} runs in the store`;
    at("trouble").hidden = !told.trouble;
    at("trouble").textContent = told.trouble;
    if (!told.run) { at("status").textContent = "Watching the store"; return; }
    const counts = {};
    for (const trial of told.going) counts[trial.state] = (counts[trial.state] ?? 0) + 1;
    const words = Object.entries(counts).map(([state, count]) => `${count} ${state}`).join(", ");
    at("status").textContent = `${told.alive ? "Goes on" : "Has ended"}${words ? `: ${words}` : ""}`;
    at("none").hidden = told.going.length > 0;
    for (const trial of told.going) {
      const known = rows.get(trial.name);
      const now = JSON.stringify(trial);
      if (known?.now === now) continue;
      const item = row(trial);
      if (known) known.item.replaceWith(item);
      else at("going").prepend(item);
      rows.set(trial.name, { now, item });
    }
  };

  const source = new EventSource("events");
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", () => { at("status").textContent = "The server does not answer; trying again…"; });
})();
