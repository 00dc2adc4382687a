// Before anything is painted: the theme that the reader chose, else the system's.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => { try { return localStorage.getItem("flexoraa-theme") || "auto"; } catch { return "auto"; } };
  window.flexoraaTheme = {
    chosen,
    apply() {
      const wanted = chosen();
      document.documentElement.dataset.theme = wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted;
      document.dispatchEvent(new Event("flexoraa-theme"));
    },
    choose(name) { try { localStorage.setItem("flexoraa-theme", name); } catch { /* from disk some browsers keep nothing */ } this.apply(); },
  };
  dark.addEventListener("change", () => window.flexoraaTheme.apply());
  window.flexoraaTheme.apply();
})();
