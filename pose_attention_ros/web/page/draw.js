// Everything that is drawn: the live image with skeletons, the lanes of the last minute, strips of attention, takes.

// Okabe and Ito's colours, told apart with every kind of colour blindness; ids and labels are written beside them.
const COLOURS = ["#56b4e9", "#e69f00", "#2fb98f", "#f0e442", "#cc79a7", "#d9793b", "#9ad0f5", "#b3b3b3"];
// From no attention to the most, even to the eye and readable without colours: it grows lighter.
const SCALE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

const MOST_LANES = 12;

export const colourOf = (id) => COLOURS[((id % COLOURS.length) + COLOURS.length) % COLOURS.length];

export function attentionColour(level) {
  const at = Math.min(Math.max(level, 0), 1) * (SCALE.length - 1);
  const low = Math.min(Math.floor(at), SCALE.length - 2);
  const mix = SCALE[low].map((value, k) => Math.round(value + (SCALE[low + 1][k] - value) * (at - low)));
  return `rgb(${mix.join(" ")})`;
}

export const readable = (label) => label.replaceAll("_", " ");

// A canvas whose pixels are the screen's; returns its context, scaled to CSS pixels.
function sized(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

export function drawLive(canvas, picture, result, model) {
  const [width, height] = result ? result.size : [picture.width, picture.height];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  if (picture) context.drawImage(picture, 0, 0, width, height);
  else {
    context.fillStyle = "#0b0f12";
    context.fillRect(0, 0, width, height);
  }
  if (!result || !model) return;
  const unit = Math.max(width, height) / 640;
  for (const person of result.people) drawPerson(context, person, model, unit);
  for (const person of result.people) drawPlate(context, person, unit, width);
}

function drawPerson(context, person, model, unit) {
  const joints = person.joints;
  context.lineCap = "round";
  for (const [edge, thick] of [["rgb(0 0 0 / 65%)", 5], [colourOf(person.id), 2.6]]) {
    context.strokeStyle = edge;
    context.lineWidth = thick * unit;
    context.beginPath();
    for (const [a, b] of model.limbs) {
      if (!joints[a][2] || !joints[b][2]) continue;
      context.moveTo(joints[a][0], joints[a][1]);
      context.lineTo(joints[b][0], joints[b][1]);
    }
    context.stroke();
  }
  joints.forEach(([x, y, seen], k) => {
    if (!seen) return;
    const level = person.joint_attention ? person.joint_attention[k] : 0;
    context.beginPath();
    context.arc(x, y, (2.2 + 3.4 * level) * unit, 0, 2 * Math.PI);
    context.fillStyle = attentionColour(level);
    context.fill();
    context.lineWidth = unit;
    context.strokeStyle = "rgb(0 0 0 / 70%)";
    context.stroke();
  });
}

function drawPlate(context, person, unit, width) {
  const known = person.state === "confirmed";
  const text = `${person.id}  ${readable(person.label || "…")}${known ? ` ${Math.round(100 * person.confidence)}%` : ""}`;
  context.font = `600 ${Math.round(13 * unit)}px system-ui, "DejaVu Sans", sans-serif`;
  const wide = context.measureText(text).width + 12 * unit;
  const high = 21 * unit;
  const x = Math.min(Math.max(person.box[0], 0), Math.max(width - wide, 0));
  const y = Math.max(person.box[1] - high - 3 * unit, 0);
  context.fillStyle = known ? colourOf(person.id) : "rgb(20 26 31 / 80%)";
  context.beginPath();
  context.roundRect(x, y, wide, high, 5 * unit);
  context.fill();
  context.fillStyle = known ? "#0b0f12" : "#e8eef3";
  context.textBaseline = "middle";
  context.fillText(text, x + 6 * unit, y + high / 2 + unit * 0.5);
}

export function drawMoments(canvas, levels) {
  const context = sized(canvas, canvas.clientWidth || 200, 12);
  const step = (canvas.clientWidth || 200) / Math.max(levels.length, 1);
  levels.forEach((level, k) => {
    context.fillStyle = attentionColour(level);
    context.fillRect(k * step, 0, step + 0.5, 12);
  });
}

// lanes: Map of id -> [{from, to, label}], seconds; the newest at the right.
export function drawLanes(canvas, lanes, now, seconds) {
  const gone = (id) => lanes.get(id).at(-1).label === null;  // those who left stand below
  const ids = [...lanes.keys()].sort((a, b) => gone(a) - gone(b) || a - b).slice(0, MOST_LANES);
  const [row, left, foot] = [26, 40, 18];
  const width = canvas.clientWidth || 300;
  const height = Math.max(ids.length, 1) * row + foot;
  canvas.style.height = `${height}px`;
  const context = sized(canvas, width, height);
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name));
  const at = (stamp) => left + (width - left) * (1 - (now - stamp) / seconds);
  context.textBaseline = "middle";
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  context.fillStyle = soft;
  for (let ago = 0; ago <= seconds; ago += seconds / 4) {
    context.textAlign = ago === 0 ? "right" : ago === seconds ? "left" : "center";
    context.fillText(ago ? `−${ago} s` : "now", at(now - ago), height - foot / 2);
    context.fillStyle = line;
    context.fillRect(at(now - ago) - 0.5, 0, 1, height - foot);
    context.fillStyle = soft;
  }
  ids.forEach((id, k) => {
    const y = k * row;
    context.textAlign = "right";
    context.fillStyle = ink;
    context.fillText(id, left - 8, y + row / 2);
    for (const part of lanes.get(id)) {
      const from = Math.max(at(part.from), left);
      const to = Math.min(at(part.to ?? now), width);
      if (to <= left || part.label === null) continue;
      const unknown = part.label === "unknown";
      context.globalAlpha = unknown ? 0.35 : 1;
      context.fillStyle = unknown ? soft : colourOf(id);
      context.fillRect(from, y + (unknown ? 10 : 3), Math.max(to - from, 1), row - (unknown ? 20 : 6));
      context.globalAlpha = 1;
      if (!unknown && to - from > 26) {
        context.save();
        context.beginPath();
        context.rect(from, y, to - from, row);
        context.clip();
        context.textAlign = "left";
        context.fillStyle = "#0b0f12";
        context.fillText(readable(part.label), from + 5, y + row / 2 + 0.5);
        context.restore();
      }
    }
  });
}

// A take as a stick figure that moves; returns a function that ends it.
export function playTake(canvas, take, limbs) {
  const points = take.figure.flat().filter(Boolean);
  if (!points.length) return () => {};  // nobody looked on while it was shown
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const [low, high] = [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
  const [width, height, edge] = [84, 104, 8];
  const scale = Math.min((width - 2 * edge) / Math.max(high[0] - low[0], 0.5), (height - 2 * edge) / Math.max(high[1] - low[1], 0.5));
  const place = ([x, y]) => [width / 2 + (x - (low[0] + high[0]) / 2) * scale, height / 2 + (y - (low[1] + high[1]) / 2) * scale];
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const began = performance.now();
  let alive = true;
  const step = (time) => {
    if (!alive) return;
    const passed = Math.max(time - began, 0); // a frame's time may lie before it was asked for
    const part = still ? 0.5 : (passed / 1000 / Math.max(take.length_s, 0.3)) % 1.15;
    const figure = take.figure[Math.min(Math.floor(Math.min(part, 1) * take.figure.length), take.figure.length - 1)];
    const context = sized(canvas, width, height);
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    context.lineWidth = 2.4;
    context.lineCap = "round";
    context.beginPath();
    for (const [a, b] of limbs) {
      if (!figure[a] || !figure[b]) continue;
      context.moveTo(...place(figure[a]));
      context.lineTo(...place(figure[b]));
    }
    context.stroke();
    if (!still) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
  return () => { alive = false; };
}
