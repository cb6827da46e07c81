// The page: one socket to the server, what it says put on the screen, what people do here sent back.
import { colourOf, drawLanes, drawLive, drawMoments, playTake, readable } from "/draw.js";

const LANE_S = 60;
const KEPT_EVENTS = 500;
const ASKED_AFTER_S = 2, LOST_AFTER_S = 4;  // of silence
const $ = (id) => document.getElementById(id);
const page = {
  socket: null, silent_s: 0, retry_ms: 500, number: 0, asked: new Map(), readOnly: false,
  model: null, results: [], newest: null, picture: null, pictureAt: 0,
  lanes: new Map(), events: [], lesson: null, ends: [], health: {},
};
window.page = page; // for the curious, and for tests

// The socket ------------------------------------------------------------------------------------------------------------
function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  page.socket = socket;
  page.silent_s = 0;
  socket.onopen = () => {
    page.retry_ms = 500;
    link("on", "connected");
    tellVisible();
    loadSettings();
    teach("status").catch(() => {});
  };
  socket.onmessage = ({ data }) => {
    if (page.socket !== socket) return;
    page.silent_s = 0;
    if (typeof data === "string") heard(JSON.parse(data));
    else showImage(data);
  };
  socket.onclose = () => lost(socket);
}

function lost(socket) {
  if (page.socket !== socket) return;  // given up before
  page.socket = null;
  link("off", "connection lost, trying again");
  for (const { fail } of page.asked.values()) fail(new Error("the connection was lost"));
  page.asked.clear();
  setTimeout(connect, page.retry_ms);
  page.retry_ms = Math.min(page.retry_ms * 2, 5000);
}

setInterval(() => {  // a network that vanishes says nothing, and a browser waits a minute for it
  const socket = page.socket;
  if (!socket || document.visibilityState !== "visible") return;
  page.silent_s += 1;
  if (page.silent_s > LOST_AFTER_S) {
    socket.close();
    lost(socket);
  } else if (page.silent_s > ASKED_AFTER_S) {
    ask({ type: "there" }).catch(() => {});
  }
}, 1000);

function ask(message) {
  return new Promise((done, fail) => {
    if (page.socket?.readyState !== WebSocket.OPEN) return fail(new Error("not connected"));
    const number = ++page.number;
    page.asked.set(number, { done, fail });
    page.socket.send(JSON.stringify({ ...message, number }));
  });
}

function tellVisible() {
  ask({ type: "visible", value: document.visibilityState === "visible" }).catch(() => {});
}

function link(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

const HEARD = {
  hello: (message) => { page.readOnly = message.read_only; applyReadOnly(); },
  model: (message) => { page.model = message; showTaught(); },
  result: showResult,
  events: (message) => {
    page.lanes.clear();
    page.events = [];
    message.events.forEach(addEvent);
    $("log").replaceChildren(...page.events.map(eventItem).reverse());
  },
  health: showHealth,
  answer: (message) => {
    const asked = page.asked.get(message.number);
    page.asked.delete(message.number);
    if (!asked) return;
    if (message.error) asked.fail(new Error(message.error));
    else asked.done(message);
  },
};

function heard(message) {
  HEARD[message.type]?.(message);
}

// Live view -------------------------------------------------------------------------------------------------------------
async function showImage(buffer) {
  const stamp = new DataView(buffer).getFloat64(0, true);
  const picture = await createImageBitmap(new Blob([new Uint8Array(buffer, 8)], { type: "image/jpeg" }));
  page.picture?.close();
  page.picture = picture;
  page.pictureAt = performance.now();
  const its = page.results.find((result) => Math.abs(result.stamp - stamp) < 1e-3) ?? page.newest;
  $("quiet").hidden = true;
  drawLive($("live"), picture, its, page.model);
}

function showResult(result) {
  if (page.newest && result.stamp < page.newest.stamp - 1) {  // a recording begins again
    page.lanes.clear();
    page.results = [];
  }
  page.newest = result;
  page.results.push(result);
  if (page.results.length > 60) page.results.shift();
  for (const event of result.events) {
    addEvent(event);
    $("log").prepend(eventItem(event));
    if ($("log").children.length > KEPT_EVENTS) $("log").lastChild.remove();
  }
  if (performance.now() - page.pictureAt > 1000) {  // no images: the skeletons alone
    $("quiet").hidden = true;
    drawLive($("live"), null, result, page.model);
  }
  refresh.wanted = true;
}

const refresh = { wanted: false };
setInterval(() => {  // lists are read by people: ten times a second is enough
  if (!refresh.wanted || document.visibilityState !== "visible") return;
  refresh.wanted = false;
  showPeople(page.newest);
  drawLanes($("lanes"), page.lanes, page.newest.stamp, LANE_S);
}, 100);

// People ----------------------------------------------------------------------------------------------------------------
function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

function badge(id) {
  const made = element("span", { className: "badge", textContent: id });
  made.style.background = colourOf(id);
  return made;
}

function showPeople(result) {
  $("nobody").hidden = result.people.length > 0;
  const list = $("people");
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  for (const person of [...result.people].sort((a, b) => a.id - b.id)) {
    const item = known.get(String(person.id)) ?? personItem(person.id);
    known.delete(String(person.id));
    updatePerson(item, person, result.stamp);
    if (!item.isConnected) list.append(item);
  }
  for (const item of known.values()) item.remove();
  const choice = $("teach-person");
  const ids = result.people.map((person) => person.id).join();
  if (choice.dataset.ids !== ids) {
    const before = choice.value;
    choice.replaceChildren(...result.people.map((person) => element("option", { value: person.id, textContent: `person ${person.id}` })));
    choice.dataset.ids = ids;
    if ([...choice.options].some((option) => option.value === before)) choice.value = before;
  }
}

function personItem(id) {
  const item = element("li", { className: "person" }, badge(id), element("span", { className: "label" }),
    element("span", { className: "since" }));
  const more = element("div", { className: "more" });
  for (let k = 0; k < 3; k += 1) {
    more.append(element("div", { className: "bar" }, element("span"), element("meter", { min: 0, max: 1 }), element("output")));
  }
  more.append(element("div", { className: "why" }, element("span"), element("canvas", { height: 12 })));
  item.append(more);
  item.dataset.id = id;
  return item;
}

function updatePerson(item, person, stamp) {
  const [, label, since, more] = item.children;
  item.dataset.label = person.label ?? "";
  label.textContent = person.state === "warming_up" ? "looking …" : readable(person.label ?? "…");
  since.textContent = person.since === undefined ? "" : `for ${Math.max(stamp - person.since, 0).toFixed(1)} s`;
  (person.top ?? []).forEach(([name, share], k) => {
    const [text, meter, output] = more.children[k].children;
    text.textContent = readable(name);
    meter.value = share;
    meter.setAttribute("aria-label", readable(name));
    output.textContent = `${Math.round(100 * share)}%`;
  });
  if (person.joint_attention && page.model) {
    const best = person.joint_attention.map((level, k) => [level, page.model.joints[k]]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    const [text, canvas] = more.lastChild.children;
    text.textContent = `looks at ${best.map(([, joint]) => readable(joint)).join(", ")}; moments of the last ${person.moments_s.toFixed(1)} s:`;
    drawMoments(canvas, person.moments);
  }
}

// Lanes and log ---------------------------------------------------------------------------------------------------------
function addEvent(event) {
  page.events.push(event);
  if (page.events.length > KEPT_EVENTS) page.events.shift();
  const lane = page.lanes.get(event.id) ?? [];
  if (lane.length) lane.at(-1).to = event.stamp;
  lane.push({ from: event.stamp, to: null, label: event.label });
  page.lanes.set(event.id, lane);
  for (const [id, parts] of page.lanes) {
    while (parts.length && parts[0].to !== null && parts[0].to < event.stamp - LANE_S) parts.shift();
    if (!parts.length || (parts.length === 1 && parts[0].label === null && parts[0].from < event.stamp - LANE_S)) page.lanes.delete(id);
  }
}

const clock = (stamp) => (stamp > 1e8 ? new Date(stamp * 1000).toLocaleTimeString() : `${stamp.toFixed(1)} s`);

function eventItem(event) {
  return element("li", {}, element("time", { textContent: clock(event.stamp) }), badge(event.id),
    element("span", { textContent: event.label === null ? "left" : readable(event.label) }));
}

function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

$("save-log").onclick = () => {
  const quoted = (text) => `"${String(text ?? "left").replaceAll('"', '""')}"`;
  const lines = page.events.map((event) => [event.stamp.toFixed(3), event.id, quoted(event.label), event.confidence].join());
  download("events.csv", ["stamp_s,person,label,confidence", ...lines].join("\n") + "\n", "text/csv");
};

// Health ----------------------------------------------------------------------------------------------------------------
function showHealth(message) {
  page.health = message.values;
  const { rate_hz: rate, age_s: age } = message.values;
  $("vital").textContent = [rate === undefined ? "" : `${rate} a second`, age == null ? "" : `${Math.round(1000 * age)} ms old`].filter(Boolean).join(", ");
  const rows = Object.entries(message.values).filter(([, value]) => value !== null && value !== "");
  $("health-list").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", { textContent: readable(name) }), element("dd", { textContent: value })]),
    ...message.warnings.flatMap(([who, what]) => {
      const told = element("dd", { textContent: what });
      told.dataset.level = "warn";
      return [element("dt", { textContent: who }), told];
    }));
  $("open-health").textContent = message.warnings.length ? `Health (${message.warnings.length})` : "Health";
}

// Settings --------------------------------------------------------------------------------------------------------------
async function loadSettings() {
  try {
    showSettings((await ask({ type: "settings" })).settings);
  } catch (error) {
    say("settings-said", error.message, true);
  }
}

function showSettings(settings) {
  $("settings-form").replaceChildren(...settings.map((setting) => {
    const high = setting.high !== null && setting.high <= 60 ? setting.high : 60;
    const input = element("input", { type: "range", min: setting.low ?? 0, max: high, step: high <= 1 ? 0.01 : 0.1, id: `set-${setting.name}`, disabled: page.readOnly });
    const shown = element("output");
    const show = (value) => {
      input.value = value;
      shown.textContent = `${Number(Number(value).toFixed(3))} ${setting.unit}`;
    };
    show(setting.value);
    let waiting = null;
    const send = async () => {
      const value = Number(input.value);
      try {
        const { settings: now } = await ask({ type: "set", name: setting.name, value });
        say("settings-said", `${readable(setting.name)} is ${value} ${setting.unit} now`);
        setting.value = now.find((each) => each.name === setting.name)?.value ?? value;
      } catch (error) {
        say("settings-said", error.message, true);
        show(setting.value);
      }
    };
    input.oninput = () => {  // a slider says so at each step; the node hears where it comes to rest
      shown.textContent = `${input.value} ${setting.unit}`;
      clearTimeout(waiting);
      waiting = setTimeout(send, 250);
    };
    return element("label", { className: "setting" }, element("span", {}, readable(setting.name), ": ", shown), input,
      element("span", { className: "note", textContent: setting.doc }));
  }));
}

$("save-settings").onclick = async () => {
  try {
    download("params.yaml", (await ask({ type: "parameter_file" })).file, "application/yaml");
  } catch (error) {
    say("settings-said", error.message, true);
  }
};

function say(id, text, bad = false) {
  $(id).textContent = text;
  $(id).dataset.bad = bad;
}

// Teaching --------------------------------------------------------------------------------------------------------------
async function teach(command, what = {}) {
  const { lesson } = await ask({ type: "teach", command, ...what });
  page.lesson = lesson;
  showLesson();
  return lesson;
}

async function tryTeach(command, what, done) {
  try {
    await teach(command, what);
    say("teach-said", done ?? "");
  } catch (error) {
    say("teach-said", error.message, true);
  }
}

$("teach-form").onsubmit = async (submitted) => {
  submitted.preventDefault();
  const what = { name: $("teach-name").value.trim(), track_id: Number($("teach-person").value) };
  for (let left = 3; left > 0; left -= 1) {
    $("count").textContent = left;
    await new Promise((done) => setTimeout(done, page.count_ms ?? 1000));
  }
  $("count").textContent = "";
  await tryTeach("begin", what);
};
$("learn").onclick = () => tryTeach("learn", {}, `${page.lesson?.lesson} is learnt; show it again`);
$("cancel").onclick = () => tryTeach("cancel");

function showLesson() {
  const { lesson, takes = [] } = page.lesson ?? {};
  $("teach-form").hidden = Boolean(lesson);
  $("lesson").hidden = !lesson;
  if (lesson) {
    $("lesson-told").textContent = takes.length < 3
      ? `Person ${page.lesson.track_id}: show “${lesson}”, then stand still. ${takes.length} of 3 to 5 takes.`
      : `${takes.length} takes of “${lesson}”. Press Learn, or show it again.`;
  }
  $("learn").disabled = !takes.length;
  const there = (page.newest?.people ?? []).map((person) => person.id);
  const away = lesson && !there.includes(page.lesson.track_id);
  $("go-on").replaceChildren(...(away ? [element("p", { className: "note", textContent: `Person ${page.lesson.track_id} is out of view.` }),
    ...there.map((id) => {
      const button = element("button", { type: "button", textContent: `Go on with person ${id}` });
      button.onclick = () => tryTeach("begin", { name: lesson, track_id: id });
      return button;
    })] : []));
  const list = $("takes");
  const wanted = takes.map((take) => [take.begin, take.figure.length]).join();
  if (list.dataset.shown !== wanted) {
    list.dataset.shown = wanted;
    page.ends.forEach((end) => end());
    page.ends = [];
    list.replaceChildren(...takes.map((take, number) => {
      const canvas = element("canvas", { width: 84, height: 104 });
      canvas.setAttribute("aria-hidden", "true");
      if (page.model) page.ends.push(playTake(canvas, take, page.model.limbs));
      const drop = element("button", { type: "button", textContent: "Delete", ariaLabel: `Delete take ${number + 1}` });
      drop.onclick = () => tryTeach("drop", { take: number });
      return element("li", {}, canvas, element("div", { textContent: `${take.length_s.toFixed(1)} s` }), drop);
    }));
  }
  showTaught();
}

setInterval(() => {  // while something is shown: the takes that were cut
  if (page.lesson?.lesson && document.visibilityState === "visible") teach("status").catch(() => {});
}, 600);

function showTaught() {
  const why = page.model?.why_not ?? "";
  $("teach-why").hidden = !why;
  $("teach-why").textContent = why;
  $("teach-form").querySelector("button").disabled = Boolean(why) || page.readOnly;
  const names = page.lesson?.taught ?? page.model?.taught ?? [];
  $("taught").replaceChildren(...(names.length ? names.map((name) => {
    const rename = element("button", { type: "button", textContent: "Rename", disabled: page.readOnly, ariaLabel: `Rename ${name}` });
    rename.onclick = () => {
      const input = element("input", { value: name, maxLength: 40, ariaLabel: `New name of ${name}` });
      const item = rename.parentElement;
      const leave = () => { input.onblur = null; showTaught(); };
      input.onkeydown = (key) => {
        if (key.key === "Escape") leave();
        if (key.key === "Enter") tryTeach("rename", { name, new_name: input.value.trim() }).then(leave);
      };
      input.onblur = leave;
      item.replaceChildren(input);
      input.select();
    };
    const remove = element("button", { type: "button", textContent: "Remove", disabled: page.readOnly, ariaLabel: `Remove ${name}` });
    remove.onclick = () => tryTeach("remove", { name }, `${name} is forgotten`);
    return element("li", {}, element("span", { textContent: name }), rename, remove);
  }) : [element("li", { className: "note", textContent: "Nothing yet." })]));
}

function applyReadOnly() {
  for (const control of $("settings-form").querySelectorAll("input")) control.disabled = page.readOnly;
  showTaught();
}

// Panels ----------------------------------------------------------------------------------------------------------------
for (const name of ["teach", "settings", "health"]) {
  const button = $(`open-${name}`);
  button.onclick = () => {
    $(name).hidden = !$(name).hidden;
    button.setAttribute("aria-expanded", String(!$(name).hidden));
    if (!$(name).hidden) {
      $(name).scrollIntoView({ block: "nearest" });
      $(name).querySelector("input, select, button")?.focus();
    }
  };
}
document.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.altKey || key.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(key.target.tagName)) return;
  const wanted = { t: "teach", s: "settings", h: "health" }[key.key];
  if (!wanted) return;
  key.preventDefault();  // the letter is not typed into the panel that opens
  $(`open-${wanted}`).click();
});
document.addEventListener("visibilitychange", () => {
  page.silent_s = 0;  // in the background nothing is told
  tellVisible();
});
window.addEventListener("resize", () => { refresh.wanted = Boolean(page.newest); });
connect();
