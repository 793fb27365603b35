// The page of models' answers: one picture, all models side by side.
import { problemOf } from "./api.js";
import { byId, el, setText, showProblem } from "./dom.js";
import { count, number } from "./format.js";
import { startSidePage } from "./side_page.js";

const RIGHT = 0.999;
let found = null;

async function load() {
  try {
    const response = await fetch("/api/multimodal");
    if (!response.ok) return showProblem(await problemOf(response));
    found = await response.json();
  } catch {
    return showProblem("the console cannot be reached");
  }
  showSummary();
  showChoice();
  return showPicture();
}

const known = (value) => value !== null && value !== undefined;
const row = (...cells) => el("tr", {}, ...cells);
const head = (text, properties = {}) => el("th", { scope: "col", textContent: text, ...properties });
const cell = (text, note = "") => el("td", {}, text, ...(note ? [el("small", { textContent: note })] : []));
const time = (value) => (known(value) && value < 0.001 ? "<0.001" : number(value, 3));

function showSummary() {
  const kinds = [...new Set(found.figures.map((figure) => figure.kind))];
  byId("summary-panel").hidden = false;
  const heads = [...kinds, "answered", "s", "tokens in", "out", "USD"];
  byId("summary-heads").replaceChildren(row(head("model", { class: "text" }), ...heads.map((text) => head(text))));
  byId("summary").replaceChildren(...found.models.map((model, at) => {
    const cost = found.costs.find((one) => one.model === at);
    const scores = kinds.map((kind) => {
      const figure = found.figures.find((one) => one.model === at && one.kind === kind);
      if (!figure) return cell("–");
      return cell(number(figure.score), known(figure.low) ? `${number(figure.low)} to ${number(figure.high)}` : "");
    });
    return row(
      el("td", { class: "text", textContent: model.name }),
      ...scores,
      cell(`${cost.answered} of ${cost.asked}`),
      cell(time(cost.p50_s)),
      cell(count(cost.input_tokens)),
      cell(count(cost.output_tokens)),
      cell(model.is_hosted ? number(cost.usd, 4) : "–"),
    );
  }));
  setText(byId("measured"), `${found.measured}. Mean scores from 0 to 1 within 95 % intervals; seconds are the median.`);
  const left = found.models.filter((model) => model.problem);
  byId("not-asked").hidden = !left.length;
  byId("not-asked").replaceChildren(...left.map((model) => el("li", {}, el("b", { textContent: model.name }), `: ${model.problem}`)));
}

function showChoice() {
  byId("picture-panel").hidden = !found.names.length;
  byId("picture").replaceChildren(...found.names.map((name, at) => el("option", { value: String(at), textContent: name })));
}

function showPicture() {
  const at = Number(byId("picture").value);
  byId("previous").disabled = at <= 0;
  byId("next").disabled = at >= found.names.length - 1;
  const asked = found.questions.map((question, id) => ({ question, id })).filter(({ question }) => question.picture === at);
  const cards = [...new Set(asked.map(({ question }) => question.has_card))].sort();
  byId("shown").replaceChildren(...cards.map((card) => el("img", {
    src: `/api/multimodal/pictures/${at}?card=${card}`,
    alt: card ? `${found.names[at]}, with a card` : found.names[at],
  })));
  const models = [...new Set(found.answers.map((answer) => answer.model))].sort((a, b) => a - b);
  byId("heads").replaceChildren(row(head("question"), ...models.map((model) => head(found.models[model].name))));
  byId("answers").replaceChildren(...asked.map(({ question, id }) => row(
    el("th", { scope: "row" }, question.text, el("small", { textContent: question.expected })),
    ...models.map((model) => answerCell(found.answers.find((one) => one.question === id && one.model === model))),
  )));
}

function answerCell(answer) {
  if (!answer) return el("td", { textContent: "–" });
  const mark = markOf(answer.score);
  return el("td", { "data-mark": mark.name },
    ...(mark.sign ? [el("b", { textContent: mark.sign, title: mark.name })] : []),
    answer.problem || answer.text || "(nothing)",
    el("small", { textContent: answer.why }));
}

/** Shapes differ, so that nothing is shown by colour alone. */
function markOf(score) {
  if (!known(score)) return { name: "none", sign: "" };
  if (score >= RIGHT) return { name: "right", sign: "✓" };
  return score > 0 ? { name: "partly", sign: `~ ${number(score)}` } : { name: "wrong", sign: "✗" };
}

function step(by) {
  byId("picture").value = String(Number(byId("picture").value) + by);
  showPicture();
}

byId("picture").addEventListener("change", showPicture);
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
startSidePage();
load();
