// Exchanges the token for a cookie. The form also works without this script.
import { problemOf } from "./api.js";
import { byId, setText } from "./dom.js";

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  setText(byId("outcome"), "");
  try {
    const response = await fetch("/login", { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
    if (response.ok) location.assign("/");
    else setText(byId("outcome"), await problemOf(response, { login: true }));
  } catch {
    setText(byId("outcome"), "the console cannot be reached");
  }
});
