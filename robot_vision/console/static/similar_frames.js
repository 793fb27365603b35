// Frames of the console's index that look like the picture, most similar first.
import { byId, el } from "./dom.js";
import { number } from "./format.js";

export function showSimilarFrames(frames) {
  byId("similar-panel").hidden = !frames;
  byId("similar-frames").replaceChildren(...(frames ?? []).map((frame) => el("li", {},
    el("img", { src: frame.image, alt: `${frame.name} of ${frame.source}` }),
    el("strong", { textContent: number(frame.similarity, 3) }),
    el("span", { textContent: frame.name, title: frame.source }))));
}
