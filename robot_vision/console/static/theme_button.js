// The switch between light and dark.
import { setText } from "./dom.js";

export function themeButton(button) {
  const other = () => (document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  const show = () => setText(button, other() === "dark" ? "Dark" : "Light");
  button.addEventListener("click", () => {
    document.dispatchEvent(new CustomEvent("choose-theme", { detail: other() }));
  });
  document.addEventListener("theme", show);
  show();
}
