// Keypoints over a picture: bones, and points in the colour of their side.

const LEAST_SCORE = 0.5; // as robot_vision/viz/skeleton.py, which has the same colours
const SHADOW = "rgb(24 24 24)";
const SIDES = { left: "rgb(86 180 233)", right: "rgb(230 159 0)", "": "#ffffff" };

/** `row` has `keypoints`; `bones` are pairs of indices into them; `scale` as for marks. */
export function drawSkeleton(context, row, bones, scale) {
  const points = row.keypoints ?? [];
  const shown = points.map(({ xy_px: xy, score }) => xy && !(score !== null && score < LEAST_SCORE));
  const sides = points.map(({ name }) => sideOf(name));
  context.setLineDash([]);
  for (const [start, end] of bones) {
    if (!shown[start] || !shown[end]) continue;
    context.beginPath();
    for (const { xy_px: [x, y] } of [points[start], points[end]]) context.lineTo(x * scale, y * scale);
    stroke(context, SHADOW, 4);
    stroke(context, SIDES[between(sides[start], sides[end])], 2);
  }
  points.forEach(({ xy_px: xy }, n) => {
    if (!shown[n]) return;
    context.beginPath();
    context.arc(xy[0] * scale, xy[1] * scale, 3, 0, 2 * Math.PI);
    context.fillStyle = SIDES[sides[n]];
    context.fill();
    stroke(context, SHADOW, 1);
  });
}

function sideOf(name) {
  const found = /(?:^|_)(left|right|l|r)(?:_|$)/.exec(name.toLowerCase().replace(/[^a-z0-9]+/g, "_"));
  if (!found) return "";
  return found[1][0] === "l" ? "left" : "right";
}

// Bones from the middle to a side belong to that side; those across to none.
const between = (start, end) => (start && end && start !== end ? "" : start || end);

function stroke(context, style, width) {
  context.strokeStyle = style;
  context.lineWidth = width;
  context.stroke();
}
