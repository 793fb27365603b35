// Colours that people with any colour vision can distinguish.

// Okabe and Ito (2008), without black: the same colours and order as robot_vision/viz/palette.py.
const TRACKS = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
];

const rgb = ([r, g, b], alpha = 1) => `rgb(${r} ${g} ${b} / ${alpha})`;

/** The colour of a track: the same for its whole life, in every view. */
export const colorOf = (id, alpha = 1) => rgb(TRACKS[Math.abs(id) % TRACKS.length], alpha);

/** Black or white, whichever is more legible on the colour of a track. */
export function inkOn(id) {
  const [r, g, b] = TRACKS[Math.abs(id) % TRACKS.length];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 110 ? "#000000" : "#ffffff";
}

/** A colour of the theme, as the style sheet defines it now. */
export function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
