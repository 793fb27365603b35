// What the arm may do now, in one word and one sentence. An unknown state is shown as unknown.
import { seconds } from "./format.js";

const SILENT_S = 1.5;

/** {state, word, sentence}; `state` is none, unknown, hold, waiting or moving. */
export function armState(state, connected) {
  if (!connected || !state) {
    return {
      state: "unknown",
      word: "UNKNOWN",
      sentence: "No connection: the state of the arm is unknown.",
    };
  }
  const { policy } = state;
  if (!policy) {
    return { state: "none", word: "NO POLICY", sentence: "Nothing here commands an arm." };
  }
  if (policy.silent_s > SILENT_S) {
    const silent = seconds(policy.silent_s);
    return {
      state: "unknown",
      word: "UNKNOWN",
      sentence: `No status from the policy for ${silent}.`,
    };
  }
  const reasons = [...new Set(policy.reasons)].join("; ");
  const because = reasons && `: ${reasons}`;
  if (!policy.enabled) {
    return { state: "hold", word: "HOLDING", sentence: `The arm keeps its pose${because}.` };
  }
  if (policy.needs_enable) {
    return {
      state: "hold",
      word: "ENABLE AGAIN",
      sentence: `The arm keeps its pose${because}.`,
    };
  }
  if (policy.holding) {
    return {
      state: "waiting",
      word: "ENABLED, WAITING",
      sentence: `The arm keeps its pose${because}.`,
    };
  }
  return { state: "moving", word: "MOVING", sentence: goal(policy) };
}

function goal({ target_id: target, destination_id: destination, instruction }) {
  const object = (id) => id !== null && id !== undefined && id >= 0;
  const parts = [];
  if (object(target)) parts.push(`target #${target}`);
  if (object(destination)) parts.push(`destination #${destination}`);
  const words = instruction ? `“${instruction}”` : "The policy moves the arm.";
  return parts.length ? `${words} (${parts.join(", ")})` : words;
}
