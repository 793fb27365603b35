// Sets light or dark before the first paint: the one script that is not a module.
// The choice is kept in this browser; without one, the system's preference rules.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("theme", { detail: theme }));
  };
  apply(stored() ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => stored() ?? apply(dark.matches ? "dark" : "light"));
  document.addEventListener("choose-theme", (event) => {
    try {
      localStorage.setItem("theme", event.detail);
    } catch {
      // then the choice is lost on reload
    }
    apply(event.detail);
  });
})();
