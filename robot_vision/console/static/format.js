// Formats numbers: always with units and a true minus sign.

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export function number(value, digits = 2) {
  return known(value) ? value.toFixed(digits).replace("-", "−") : "–";
}

/** Milliseconds, with significant digits only. */
export function ms(value) {
  if (!known(value)) return "–";
  return `${value < 10 ? number(value, 1) : number(value, 0)} ms`;
}

/** A duration of a tenth of a second up to days. */
export function seconds(value) {
  if (!known(value)) return "–";
  if (value < 60) return `${number(value, 1)} s`;
  const whole = Math.floor(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
}

/** The age of something: in ms below a second. */
export const age = (valueMs) => (valueMs < 1000 ? ms(valueMs) : seconds(valueMs / 1000));

export const hz = (value) => (known(value) ? `${number(value, 1)} Hz` : "–");

export const count = (value) => (known(value) ? value.toLocaleString("en") : "–");

export function clock(atSeconds) {
  return new Date(atSeconds * 1000).toLocaleTimeString("en-GB");
}
