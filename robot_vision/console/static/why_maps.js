// The service's answer: the explained picture, and a map or a rejection for each method.
import { byId, el, setText } from "./dom.js";

const NAMES = {
  grad_cam: "Grad-CAM",
  hires_cam: "HiResCAM",
  occlusion: "Occlusion",
  attention: "Attention",
  rollout: "Rollout",
  relevance: "Relevance",
  integrated_gradients: "Integrated gradients",
  pointing: "Pointing",
};

export function showMaps(why) {
  byId("no-maps").hidden = true;
  const old = why.age_s === null ? "" : `, a frame ${(why.age_s * 1000).toFixed(0)} ms old`;
  setText(byId("about"), `${why.model} says ${why.target}${old}; ${why.elapsed_s.toFixed(1)} s`);
  byId("maps").replaceChildren(
    el("figure", {}, framed(why), el("figcaption", { textContent: why.target })),
    ...why.maps.map(figureOf),
  );
}

function figureOf(map) {
  const name = NAMES[map.way] ?? map.way;
  if (map.refused) {
    return el("figure", { class: "refused" },
      el("strong", { textContent: `${name}: rejected` }),
      el("figcaption", { textContent: map.refused }));
  }
  const words = [map.about, map.checked].filter(Boolean).join("; ");
  return el("figure", {},
    el("img", { src: map.image, alt: `${name}: where the model looks` }),
    el("figcaption", {}, el("strong", { textContent: name }), ` ${words}`));
}

/** The picture with the box of the target. */
function framed({ image, target, box_xyxy_px: box, width_px: width, height_px: height }) {
  const root = el("div", { class: "framed" }, el("img", { src: image, alt: `Explained: ${target}` }));
  if (box) {
    const mark = el("i");
    const part = (length, whole) => `${(100 * length) / whole}%`;
    mark.style.left = part(box[0], width);
    mark.style.top = part(box[1], height);
    mark.style.width = part(box[2] - box[0], width);
    mark.style.height = part(box[3] - box[1], height);
    root.append(mark);
  }
  return root;
}
