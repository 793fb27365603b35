// The page that analyses pictures: sends files and tasks to the service and shows the answer.
import { problemOf } from "./api.js";
import { showAnswer } from "./answer.js";
import { byId, el, setText, showProblem, toggles } from "./dom.js";
import { startSidePage } from "./side_page.js";

const MOST_FILES = 8;

let files = [];
let tasks = toggles(byId("tasks"), (on) => {
  tasks = on;
  showChoice();
});

function choose(list) {
  const added = [...list].filter((file) => /^(image|video)\//.test(file.type));
  if (added.length < list.length) showProblem("only pictures and videos can be analysed");
  else showProblem("");
  const comparing = tasks.has("similarity");
  files = (comparing ? [...files, ...added] : added).slice(-(comparing ? 2 : MOST_FILES));
  showChoice();
}

function showChoice() {
  document.dispatchEvent(new CustomEvent("chosen", { detail: files }));
  byId("chosen").replaceChildren(...files.map((file) => el("li", {},
    el("span", { textContent: `${file.name} (${(file.size / 1e6).toFixed(1)} MB)` }),
    el("button", {
      type: "button",
      textContent: "Remove",
      "aria-label": `Remove ${file.name}`,
      onclick: () => {
        files = files.filter((other) => other !== file);
        showChoice();
      },
    }))));
  const problem = missing();
  byId("go").disabled = problem !== "";
  setText(byId("hint"), problem || "Ready.");
}

function missing() {
  if (!files.length) return "Choose a picture or a video first.";
  if (!tasks.size) return "Choose at least one task.";
  if (tasks.has("similarity") && files.length !== 2) {
    return `Similarity compares two pictures; ${files.length} chosen.`;
  }
  return "";
}

async function ask(event) {
  event.preventDefault();
  if (missing()) return;
  const body = new FormData();
  for (const file of files) body.append("image", file);
  for (const task of tasks) body.append("tasks", task);
  const asked = files;
  showProblem("");
  byId("go").disabled = true;
  setText(byId("go"), "Analysing …");
  try {
    const response = await fetch("/api/analyze", { method: "POST", body });
    if (response.ok) await showAnswer(await response.json(), asked);
    else showProblem(await problemOf(response));
  } catch {
    showProblem("the console cannot be reached");
  } finally {
    setText(byId("go"), "Analyse");
    showChoice();
  }
}

byId("ask").addEventListener("submit", ask);
byId("choose").addEventListener("click", () => byId("files").click());
byId("files").addEventListener("change", () => {
  choose(byId("files").files);
  byId("files").value = "";
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").dataset.over = String(over);
    if (name === "drop") choose(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) choose(event.clipboardData.files);
});

startSidePage();
showChoice();
