
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("terms").textContent);

  // Numbers as the rest of the page writes them.
  const NBSP = "\u00a0";
  const number = (value, digits, sign) =>
    new Intl.NumberFormat(data.language, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      signDisplay: sign ? "exceptZero" : "negative",
      roundingMode: "halfEven",
    }).format(value);
  const withCurrency = (text) => (data.currency ? text + NBSP + data.currency : text);
  const percent = (share, digits, sign) =>
    Number.isFinite(share) ? number(100 * share, digits, sign) + NBSP + "%" : "–";

  // A stored sum under the stated discount rates times c: log sums, in barycentric form.
  const sumAt = (sums, c) => {
    if (c === 1) return sums[(sums.length - 1) / 2];
    const at = Math.log((c - data.pole) / (1 - data.pole)) / data.span;
    let above = 0;
    let below = 0;
    for (let k = 0; k < sums.length; k += 1) {
      if (at === data.nodes[k]) return sums[k];
      const share = data.weights[k] / (at - data.nodes[k]);
      above += share * Math.log(Math.abs(sums[k]));
      below += share;
    }
    return Math.sign(sums[0]) * Math.exp(above / below);
  };

  // Equity as a function of how much assumptions moved: new over stated, by name.
  const worth = (moved) => {
    const relative = (name) => (Object.hasOwn(moved, name) ? moved[name] : 1);
    let total = 0;
    for (const term of data.terms) {
      total += term.factors.reduce((value, name) => value * relative(name), sumAt(term.sums, relative("discount_rate")));
    }
    return (1 - data.tax * relative("tax")) * total;
  };

  const shown = document.getElementById("equity-now");
  const change = document.getElementById("equity-change");
  const reset = document.getElementById("reset");
  const section = shown.closest("section");
  const stated = Number(document.getElementById("equity").dataset.value);
  const digits = Number(shown.dataset.digits);
  const base = worth({});

  const levers = [...document.querySelectorAll(".lever")].map((lever) => {
    const input = lever.querySelector("input");
    const { name, kind } = input.dataset;
    return {
      name,
      kind,
      input,
      output: lever.querySelector("output"),
      effect: lever.querySelector(".effect"),
      stated: Number(input.dataset.stated),
      digits: Number(input.dataset.digits),
    };
  });

  // The slider's place, to the decimals that are shown; what is stated is met exactly.
  const valueOf = (lever) => {
    const raw = Number(lever.input.value);
    return Math.abs(raw - lever.stated) < 0.5 * 10 ** -lever.digits ? lever.stated : Number(raw.toFixed(lever.digits));
  };

  const written = (lever, value) => {
    if (lever.kind === "share") return percent(value, lever.digits - 2);
    const text = number(value, lever.digits);
    if (lever.kind === "factor") return "×" + NBSP + text;
    return lever.kind === "money" ? withCurrency(text) : text;
  };

  const recompute = () => {
    const moved = {};
    for (const lever of levers) {
      const value = valueOf(lever);
      const text = written(lever, value);
      const relative = value / lever.stated;
      if (value !== lever.stated) moved[lever.name] = relative;
      lever.output.textContent = text;
      lever.input.setAttribute("aria-valuetext", text);
      const alone = worth({ [lever.name]: relative }) - base;
      lever.effect.textContent = value === lever.stated ? "" : withCurrency(number(alone, digits, true));
    }
    const difference = worth(moved) - base;
    const equity = stated + difference;
    shown.dataset.value = String(equity);
    shown.textContent = withCurrency(number(equity, digits));
    change.dataset.value = String(difference);
    change.textContent = `${withCurrency(number(difference, digits, true))} (${percent(difference / stated, 1, true)})`;
    const still = Object.keys(moved).length === 0;
    reset.disabled = still;
    section.classList.toggle("unmoved", still);
  };

  for (const lever of levers) lever.input.addEventListener("input", recompute);
  reset.addEventListener("click", () => {
    for (const lever of levers) lever.input.value = lever.input.defaultValue;
    recompute();
  });
  recompute();
  section.hidden = false;

  // Tables that are sorted by the column whose title is pressed: large numbers first, names from A.
  const compare = (a, b) =>
    typeof a === "number" ? b - a : a.localeCompare(b, data.language, { numeric: true });
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const titles = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    titles.forEach((title, column) => {
      title.querySelector("button").addEventListener("click", () => {
        const names = column === 0;
        const first = names ? "ascending" : "descending";
        const second = names ? "descending" : "ascending";
        const order = title.getAttribute("aria-sort") === first ? second : first;
        const turn = order === first ? 1 : -1;
        const rows = [...body.rows].sort((a, b) => turn * compare(keyOf(a, column), keyOf(b, column)));
        for (const other of titles) other.setAttribute("aria-sort", other === title ? order : "none");
        body.append(...rows);
      });
    });
  }
})();
