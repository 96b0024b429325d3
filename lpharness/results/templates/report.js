"use strict";
// Without this script the page only lacks the filter and the copy buttons.
(() => {
  const trials = [...document.querySelectorAll("details.trial")];

  // A link into a trial opens everything around its target.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView({ block: target.matches("details") ? "start" : "center" });
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  if (location.hash) reveal();
  else if (trials.length === 1) trials[0].open = true;

  // An opened trial puts itself into the address, so that the address can be sent to someone.
  for (const trial of trials) {
    trial.addEventListener("toggle", () => {
      if (trial.open && !location.hash.startsWith("#" + trial.id)) {
        history.replaceState(null, "", "#" + encodeURIComponent(trial.id));
      }
    });
  }

  const filter = document.querySelector(".filter");
  if (filter) {
    filter.hidden = false;
    const words = filter.querySelector("#words");
    const toggles = [...filter.querySelectorAll(".toggle")];
    const rows = trials.map((trial) => [
      trial,
      trial.dataset.verdict,
      trial.querySelector("summary").textContent.toLowerCase(),
    ]);
    const apply = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const pressed = toggles.filter((t) => t.getAttribute("aria-pressed") === "true");
      const verdicts = new Set(pressed.map((t) => t.dataset.verdict));
      let shown = 0;
      for (const [trial, verdict, text] of rows) {
        const fits = (!verdicts.size || verdicts.has(verdict)) && wanted.every((w) => text.includes(w));
        trial.hidden = !fits;
        shown += fits;
      }
      document.getElementById("none").hidden = shown > 0;
      document.getElementById("shown").textContent = `${shown} of ${rows.length} trials`;
    };
    words.addEventListener("input", apply);
    for (const toggle of toggles) {
      toggle.addEventListener("click", () => {
        const on = toggle.getAttribute("aria-pressed") === "true";
        toggle.setAttribute("aria-pressed", String(!on));
        apply();
      });
    }
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    const text = button.closest(".command").querySelector("pre");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
})();
