// The operator's controls: the arm's state, enable, hold, reset, and the instruction.
import { command } from "./api.js";
import { byId, el, keyed, setText } from "./dom.js";
import { clock, hz, ms, number, seconds } from "./format.js";
import { hold, holdKeys, showHoldBar, showState } from "./hold.js";

const HISTORY = 30;

export class Control {
  constructor() {
    this._state = null;
    this._arm = { state: "unknown" };
    for (const button of document.querySelectorAll("button.hold")) {
      button.addEventListener("click", () => this.hold());
    }
    byId("enable").addEventListener("click", () => this._send("Enable", command("/api/enable")));
    byId("reset").addEventListener("click", () => this._send("Reset", command("/api/reset")));
    byId("say").addEventListener("submit", (event) => this._instruct(event));
    holdKeys(() => this._arm.state !== "none", () => this.hold());
  }

  hold() {
    return this._send("Hold", hold(), "The arm may still move: use its emergency stop.");
  }

  show(state, arm) {
    [this._state, this._arm] = [state, arm];
    const none = arm.state === "none";
    const may = state?.commands.allowed ?? false;
    showState(byId("arm"), arm);
    showHoldBar(byId("holdbar"), arm);
    byId("operate").hidden = none;
    for (const button of document.querySelectorAll("button.hold")) button.disabled = none;
    const blocked = !may || arm.state === "unknown";
    for (const id of ["enable", "reset", "send", "enable-bar"]) byId(id).disabled = blocked;
    const policy = state?.policy;
    byId("enable").disabled ||= (policy?.enabled && !policy.needs_enable) ?? false;
    byId("enable-bar").disabled = byId("enable").disabled;
    byId("refused").hidden = none || may || !state;
    if (state && !may) setText(byId("refused"), `No commands: ${state.commands.reason}.`);
    if (state) {
      this._showPolicy(state.policy);
      this._showHistory(state.instructions);
    }
  }

  async _send(name, sent, otherwise = "") {
    const outcome = byId("outcome");
    setText(outcome, `${name} …`);
    const { done, message } = await sent;
    const words = done ? `${name}: ${message}` : `${name} FAILED: ${message}. ${otherwise}`;
    setText(outcome, `${clock(Date.now() / 1000)} ${words}`);
    outcome.dataset.level = done ? "ok" : "error";
    return done;
  }

  async _instruct(event) {
    event.preventDefault();
    const input = byId("instruction");
    const text = input.value.trim();
    if (text && await this._send("Instruction", command("/api/instruction", { text }))) {
      input.value = "";
    }
  }

  _showPolicy(policy) {
    const facts = {
      "f-chunk": seconds(policy?.chunk_age_s),
      "f-policy": ms(policy?.policy_ms),
      "f-rate": hz(policy?.command_hz),
      "f-gripper": policy?.gripper_open == null ? "–" : `${number(policy.gripper_open * 100, 0)} % open`,
      "f-instruction": policy?.instruction || "none",
      "f-limits": limits(policy?.interventions ?? {}),
    };
    for (const [id, text] of Object.entries(facts)) setText(byId(id), text);
    const problem = policy?.instruction_problem ?? "";
    byId("problem").hidden = !problem;
    setText(byId("problem"), problem && `The instruction cannot be followed: ${problem}`);
  }

  _showHistory(instructions) {
    const newest = [...instructions].sort((a, b) => b.at_s - a.at_s).slice(0, HISTORY);
    byId("no-history").hidden = newest.length > 0;
    keyed(byId("history"), newest, {
      key: (given) => `${given.at_s} ${given.text}`,
      create: (given) => el("li", {}, el("button", {
        type: "button",
        title: "Copy this instruction into the box",
        onclick: () => this._reuse(given.text),
      }, el("time", { textContent: clock(given.at_s) }), el("span", { textContent: given.text }))),
      update: () => {},
    });
  }

  _reuse(text) {
    byId("instruction").value = text;
    byId("instruction").focus();
  }
}

function limits(interventions) {
  const rows = Object.entries(interventions).filter(([, times]) => times > 0);
  return rows.length ? rows.map(([limit, times]) => `${limit} ×${times}`).join(", ") : "none";
}
