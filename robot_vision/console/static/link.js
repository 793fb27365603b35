// Whether the page shows the current state: one answer for all views, as text.
import { age, seconds } from "./format.js";

/**
 * From the stream's status, the last `state` and the camera's picture: {level, word, trouble}.
 * `trouble` is null while everything is live, else {title, reason} for every picture.
 */
export function judge(status, state, picture) {
  const cameraAge = state?.camera.frame_age_ms;
  if (!status.connected) return disconnected(status, picture);
  if (!state) return { level: "warn", word: "Connecting", trouble: waiting("Connecting") };
  const { camera } = state;
  if (camera.status === "no camera") {
    const reason = camera.reason || "no frames";
    const word = `No camera for ${seconds(camera.for_s)}`;
    return { level: "error", word, trouble: { title: "No camera", reason } };
  }
  if (camera.status === "starting") {
    const reason = camera.reason || state.model.doing || "the service is starting";
    return { level: "warn", word: "Starting", trouble: { title: "Starting", reason } };
  }
  return { level: "ok", word: `Live, frame ${age(cameraAge ?? NaN)} old`, trouble: null };
}

const waiting = (title) => ({ title, reason: "waiting for the service" });

function disconnected(status, picture) {
  const ageMs = picture.freshness.ageMs;
  const what = ageMs === null ? "Nothing received yet." : `This picture is ${age(ageMs)} old.`;
  const next = status.open
    ? `No message from the console for ${seconds(status.quietMs / 1000)}.`
    : `Trying again in ${seconds(status.retryInMs / 1000)}.`;
  const why = status.refused ? ` The console said: ${status.refused}.` : "";
  return {
    level: "error",
    word: "Disconnected",
    trouble: { title: "Disconnected", reason: `${what} ${next}${why}` },
  };
}
