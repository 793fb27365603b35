// Shared by all pages except the live one: the link's state, the hold bar, the theme.
import { armState } from "./arm.js";
import { byId, setText } from "./dom.js";
import { hold, holdKeys, showHoldBar } from "./hold.js";
import { judge } from "./link.js";
import { showLink } from "./pill.js";
import { Stream } from "./stream.js";
import { themeButton } from "./theme_button.js";

const nothing = { freshness: { ageMs: null } };

async function holdNow() {
  setText(byId("hold-outcome"), "Hold …");
  const { done, message } = await hold();
  const otherwise = "The arm may still move: use its emergency stop.";
  setText(byId("hold-outcome"), done ? message : `Hold FAILED: ${message}. ${otherwise}`);
}

/** Shows the arm's state, and lets the user hold it from here too. */
export function startSidePage() {
  let state = null;
  const stream = new Stream({ state: (now) => { state = now; } });
  stream.want({ state: 2 });
  const tick = () => {
    const arm = armState(state, stream.status.connected);
    showLink(judge(stream.status, state, nothing), arm);
    showHoldBar(byId("holdbar"), state ? arm : { ...arm, state: "none" });
  };
  byId("holdbar").querySelector(".hold").addEventListener("click", holdNow);
  holdKeys(() => !byId("holdbar").hidden, holdNow);
  themeButton(byId("theme"));
  setInterval(tick, 200);
  tick();
}
