// The connection in the top bar, and announcements for screen readers when it changes.
import { byId, icon, setText } from "./dom.js";

let announced = "";

export function showLink(link, arm) {
  const pill = byId("link");
  if (pill.dataset.level !== link.level) {
    pill.dataset.level = link.level;
    pill.querySelector("svg").replaceWith(icon(link.level));
  }
  setText(pill.querySelector("span"), link.word);
  const title = link.trouble ? link.trouble.title : "Live";
  const words = arm.state === "none" ? title : `${title}. Arm: ${arm.word}.`;
  if (words !== announced) setText(byId("announce"), words);
  announced = words;
}
