"use strict";
// Without this script the site lacks its filters and its keys; everything is still there to read.
(() => {
  const $ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const table = document.querySelector("table.matrix");
  const filter = document.querySelector(".filter");
  const words = document.getElementById("words");

  // The matrix as rows of cells of tiles, read once.
  const rows = table ? $("tbody tr", table).map((row) => ({
    row,
    text: row.querySelector("th").textContent.toLowerCase(),
    cells: $("td", row).map((cell) => ({ cell, k: cell.dataset.k, tiles: $("[data-v], .empty", cell) })),
  })) : [];
  const heads = table ? $("thead th", table).slice(1) : [];

  // One tile of the matrix can be reached with Tab; the arrows move on from there.
  const place = (tile) => {
    for (const each of $("td [tabindex='0']", table)) each.tabIndex = -1;
    if (tile) tile.tabIndex = 0;
  };
  const links = (row) => $("td:not([hidden]) a:not([hidden])", row);
  const visible = () => rows.filter(({ row }) => !row.hidden && links(row).length);
  const rove = () => {
    for (const tile of $("td a", table)) tile.tabIndex = -1;
    const first = visible()[0];
    if (first) place(links(first.row)[0]);
  };
  const nearest = (tiles, to) => {
    const at = to.getBoundingClientRect();
    const way = (tile) => Math.abs(tile.getBoundingClientRect().left - at.left);
    return tiles.reduce((best, tile) => (way(tile) < way(best) ? tile : best));
  };
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const move = (event) => {
    const from = event.target.closest("td a");
    if (!from) return;
    const shown = visible();
    const at = shown.findIndex(({ row }) => row.contains(from));
    const own = links(shown[at].row);
    let to = null;
    if (event.key in STEPS) {
      const [down, right] = STEPS[event.key];
      const next = shown[at + down];
      to = down ? next && nearest(links(next.row), from) : own[own.indexOf(from) + right];
    } else if (event.key === "Home") to = event.ctrlKey ? links(shown[0].row)[0] : own[0];
    else if (event.key === "End") to = event.ctrlKey ? links(shown.at(-1).row).at(-1) : own.at(-1);
    else return;
    event.preventDefault();
    if (!to) return;
    place(to);
    to.focus();
  };
  if (table) {
    rove();
    table.addEventListener("keydown", move);
    table.addEventListener("focusin", (event) => {
      const tile = event.target.closest("td a");
      if (tile) place(tile);
    });
  }

  if (filter && table) {
    filter.hidden = false;
    const toggles = $(".toggle", filter);
    const facets = $("select", filter);
    const none = document.getElementById("none");
    const pressed = (toggle) => toggle.getAttribute("aria-pressed") === "true";

    const apply = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const verdicts = new Set(toggles.filter(pressed).map((toggle) => toggle.dataset.verdict));
      const chosen = Object.fromEntries(facets.map((facet) => [facet.dataset.facet, facet.value]));
      const narrow = verdicts.size || Object.values(chosen).some(Boolean);
      heads.forEach((head, k) => { head.hidden = Boolean(chosen.k) && chosen.k !== String(k); });
      let shown = 0;
      for (const { row, text, cells } of rows) {
        let left = 0;
        for (const { cell, k, tiles } of cells) {
          cell.hidden = Boolean(chosen.k) && chosen.k !== k;
          for (const tile of tiles) {
            const { v, w, m } = tile.dataset;
            tile.hidden = Boolean((chosen.w && chosen.w !== w) || (chosen.m && chosen.m !== m)
              || (verdicts.size && v && !verdicts.has(v)));
            if (!tile.hidden && !cell.hidden && v) left += 1;
          }
        }
        row.hidden = !wanted.every((word) => text.includes(word)) || (narrow && !left);
        shown += !row.hidden;
      }
      none.hidden = shown > 0;
      document.getElementById("shown").textContent = `${shown} of ${rows.length} rows`;
      rove();
      remember(chosen, verdicts);
    };

    // The filter is in the address, so that the address can be sent to someone.
    const remember = (chosen, verdicts) => {
      const query = new URLSearchParams();
      if (words.value) query.set("q", words.value);
      if (verdicts.size) query.set("v", [...verdicts].join(" "));
      for (const [facet, value] of Object.entries(chosen)) {
        if (value) query.set(facet, facets.find((f) => f.dataset.facet === facet).selectedOptions[0].text);
      }
      const hash = query.toString();
      if (hash || location.hash.includes("=")) history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
    };
    const recall = () => {
      if (!location.hash.includes("=")) return;
      const query = new URLSearchParams(location.hash.slice(1));
      words.value = query.get("q") ?? "";
      const verdicts = (query.get("v") ?? "").split(" ");
      for (const toggle of toggles) toggle.setAttribute("aria-pressed", String(verdicts.includes(toggle.dataset.verdict)));
      for (const facet of facets) {
        const option = [...facet.options].find((each) => each.text === query.get(facet.dataset.facet));
        facet.value = option ? option.value : "";
      }
      apply();
    };

    words.addEventListener("input", apply);
    for (const facet of facets) facet.addEventListener("change", apply);
    for (const toggle of toggles) {
      toggle.addEventListener("click", () => {
        toggle.setAttribute("aria-pressed", String(!pressed(toggle)));
        apply();
      });
    }
    recall();
    words.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { words.value = ""; apply(); }
      const first = visible()[0];
      if ((event.key === "ArrowDown" || event.key === "Enter") && first) {
        event.preventDefault();
        links(first.row)[0].focus();
      }
    });
  }

  // Keys for the whole site; none while somebody writes, or together with a modifier.
  for (const keys of $(".keys")) keys.hidden = false;
  const GO = { m: "index.html", h: "history.html", f: "flaws.html", r: "runs.html", l: "live.html" };
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (event.key === "/" && words) {
      event.preventDefault();
      words.focus();
    } else if (going && event.key in GO) {
      const link = $(".bar nav a").find((each) => each.getAttribute("href").endsWith(GO[event.key]));
      if (link) link.click();
    }
    going = event.key === "g";
  });
})();
