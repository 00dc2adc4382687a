// What a page does: theme, tenants, tables that sort and filter, charts in the theme's colours, and how old its numbers are.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- theme and tenants
  const names = ["auto", "light", "dark"];
  const button = document.querySelector("[data-theme-button]");
  const label = () => {
    const name = window.flexoraaTheme.chosen();
    button.textContent = `Theme: ${name}`;
    button.setAttribute("aria-label", `Theme: ${name}. Change it`);
  };
  button.addEventListener("click", () => {
    window.flexoraaTheme.choose(names[(names.indexOf(window.flexoraaTheme.chosen()) + 1) % names.length]);
    label();
  });
  label();
  const tenants = document.querySelector("[data-tenants]");
  tenants.addEventListener("change", () => { location.href = tenants.value; });

  // --- tables
  const value = (cell) => cell.dataset.v ?? cell.textContent.trim();
  const compare = (one, other) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const [a, b] = [Number(one), Number(other)];
    return Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(other) : a - b;
  };
  for (const table of all("[data-table]")) {
    const body = table.tBodies[0];
    for (const sorter of all("[data-sort]", table)) {
      sorter.addEventListener("click", () => {
        const head = sorter.closest("th"), place = head.cellIndex;
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of all("th", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].sort((a, b) => {
          const [one, other] = [value(a.cells[place]), value(b.cells[place])];
          return one === "" || other === "" ? compare(one, other) : (down ? -1 : 1) * compare(one, other);
        });
        body.append(...rows);
      });
    }
  }
  for (const form of all("[data-filters]")) {
    const rows = [...form.parentElement.querySelector("[data-table]").tBodies[0].rows];
    const total = form.querySelector("[data-shown]").textContent.split(" of ")[1];
    const choose = () => {
      const words = form.querySelector("[data-search]").value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word))
          && all("[data-facet]", form).every((each) => !each.value || row.cells[each.dataset.facet].textContent === each.value);
        row.hidden = !fits;
        shown += fits;
      }
      form.querySelector("[data-shown]").textContent = `${shown} of ${total}`;
    };
    form.addEventListener("input", choose);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  // --- charts
  const coloured = (node, style) => {
    if (Array.isArray(node)) return node.map((each) => coloured(each, style));
    if (node && typeof node === "object") return Object.fromEntries(Object.entries(node).map(([key, each]) => [key, coloured(each, style)]));
    const named = typeof node === "string" && /^(var|soft)\((--[\w-]+)\)$/.exec(node);
    if (!named) return node;
    const colour = style.getPropertyValue(named[2]).trim();
    return named[1] === "soft" ? `${colour}38` : colour;
  };
  const draw = (plot) => {
    const style = getComputedStyle(document.documentElement), from = (name) => style.getPropertyValue(name).trim();
    const { data, layout } = coloured(JSON.parse(plot.querySelector("script").textContent), style);
    const axis = { gridcolor: from("--line"), zerolinecolor: from("--line"), linecolor: from("--line"), tickfont: { color: from("--muted") } };
    const titled = (own) => ({ ...axis, ...own, title: { ...own.title, font: { color: from("--muted"), size: 12 }, standoff: 8 } });
    let target = plot.querySelector("div");
    if (!target) { target = document.createElement("div"); plot.append(target); }
    window.Plotly.react(target, data, {
      ...layout, xaxis: titled(layout.xaxis), yaxis: titled(layout.yaxis), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: from("--text") },
      hoverlabel: { bgcolor: from("--paper"), bordercolor: from("--line"), font: { color: from("--text") } }, bargap: 0.3,
    }, { displayModeBar: false, responsive: true });
    plot.dataset.drawn = "yes";
  };
  const plots = all("[data-plot]"), library = document.currentScript.dataset.plotly;
  const begin = () => {
    const near = new IntersectionObserver((entries) => {
      for (const each of entries) if (each.isIntersecting) { near.unobserve(each.target); draw(each.target); }
    }, { rootMargin: "300px" });
    for (const plot of plots) near.observe(plot);
    document.addEventListener("flexoraa-theme", () => { for (const plot of plots) if (plot.dataset.drawn) draw(plot); });
    addEventListener("beforeprint", () => { for (const plot of plots) if (!plot.dataset.drawn) draw(plot); });
  };
  // 4.6 MB of library only once the page was painted: a deferred script of that size comes before the first paint
  const fetchLibrary = () => document.head.append(Object.assign(document.createElement("script"), { src: library, onload: begin }));
  if (plots.length && window.Plotly) begin();  // a page that an older version made loads it itself
  else if (plots.length) requestAnimationFrame(() => setTimeout(fetchLibrary));

  // --- how old the numbers are, and whether the last run failed
  const banner = document.querySelector("[data-banner]"), asOf = new Date(document.documentElement.dataset.asOf);
  const say = (text, isBad) => {
    const line = document.createElement("p");
    line.textContent = text;
    banner.append(line);
    banner.hidden = false;
    if (isBad) banner.classList.add("bad");
  };
  const state = window.flexoraaState || {};
  if (state.status === "failed") say(`The last run failed on ${state.at}: ${state.what}. These numbers are of the run before it. ${state.todo}`, true);
  const hours = (Date.now() - asOf) / 3.6e6;
  if (Number.isNaN(hours)) say("Nothing was built yet. Put webhooks into the inbox and start “flexoraa run”; “flexoraa demo” shows it all on made-up tenants.");
  if (hours > 3) say(`These numbers are ${hours < 48 ? `${Math.floor(hours)} hours` : `${Math.floor(hours / 24)} days`} old. If that is not meant, run “flexoraa run”, or look in Dagster why none ended well.`);
  if (location.protocol.startsWith("http")) {
    let told = false;
    const look = async () => {
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
      const at = answer && answer.ok && Date.parse(answer.headers.get("last-modified"));
      if (at && at > Date.parse(document.lastModified) && !told) { told = true; say("There are newer numbers: reload the page."); }
    };
    setInterval(look, 60_000);
  }
})();
