// What the monitoring page does beyond its markup: reads values under a pointer or by keys, and draws itself anew.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const system = matchMedia("(prefers-color-scheme: dark)");

// ---- light and dark ----

const theme = document.getElementById("theme");
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
const sayTheme = () => theme.setAttribute("aria-pressed", String(isDark()));
theme.addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // storage is closed to this page: the choice holds until it is left
  }
  sayTheme();
});
system.addEventListener("change", sayTheme);
sayTheme();

// ---- values under the pointer, or under the cursor that arrow keys move ----

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);
const readings = new WeakMap(); // chart -> its data
const cursors = new WeakMap(); // plot -> step of its cursor
let shownPlot = null;

const dataOf = (chart) => {
  if (!readings.has(chart)) readings.set(chart, JSON.parse(chart.querySelector("script").textContent));
  return readings.get(chart);
};

const line = (name, text, kind) => {
  const row = document.createElement("div");
  const label = document.createElement("span");
  const value = document.createElement("b");
  label.textContent = name;
  value.textContent = text;
  row.className = kind ?? "";
  row.append(label, value);
  return row;
};

const hide = () => {
  tip.hidden = true;
  shownPlot?.classList.remove("read");
  shownPlot = null;
};

const show = (plot, step) => {
  const data = dataOf(plot.closest(".chart"));
  const last = data.times.length - 1;
  const number = clamp(step, 0, last);
  if (shownPlot !== plot) hide();
  shownPlot = plot;
  cursors.set(plot, number);
  plot.classList.add("read");
  plot.querySelector(".cursor").setAttribute("d", `M${(1000 * number) / last} 0V180`);
  const told = data.series.filter((one) => one.values[number]).map((one) => line(one.name, one.values[number]));
  tip.replaceChildren(line(data.times[number], "", "when"), ...(told.length ? told : [line("no value", "")]));
  tip.hidden = false;
  const box = plot.getBoundingClientRect();
  const x = box.left + (box.width * number) / last;
  const left = x + 14 + tip.offsetWidth > innerWidth - 8 ? x - 14 - tip.offsetWidth : x + 14;
  tip.style.left = `${clamp(left, 8, Math.max(8, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${clamp(box.top + 8, 8, Math.max(8, innerHeight - tip.offsetHeight - 8))}px`;
};

const stepAt = (plot, x) => {
  const box = plot.getBoundingClientRect();
  return Math.round(((x - box.left) / box.width) * (dataOf(plot.closest(".chart")).times.length - 1));
};

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.(".plot");
  if (plot) show(plot, stepAt(plot, event.clientX));
  else if (shownPlot && shownPlot !== document.activeElement) hide();
});
document.addEventListener("pointerdown", (event) => {
  const plot = event.target.closest?.(".plot");
  if (plot) show(plot, stepAt(plot, event.clientX));
  else hide();
});
addEventListener("scroll", () => shownPlot && shownPlot !== document.activeElement && hide(), { passive: true });
document.addEventListener("focusin", (event) => {
  if (!event.target.matches?.(".plot")) hide();
});
document.addEventListener("keydown", (event) => {
  const plot = document.activeElement?.matches?.(".plot") ? document.activeElement : null;
  if (event.key === "Escape") hide();
  if (!plot) return;
  const last = dataOf(plot.closest(".chart")).times.length - 1;
  const now = cursors.get(plot) ?? last + 1;
  const step = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  show(plot, step);
});

// ---- choices go at once ----

const choices = document.getElementById("choices");
if (choices) {
  choices.classList.add("at-once");
  choices.addEventListener("change", () => choices.requestSubmit());
  choices.addEventListener("submit", () => {
    for (const field of choices.elements) if (!field.value) field.disabled = true; // a short address
  });
  addEventListener("pageshow", () => {
    for (const field of choices.elements) field.disabled = false;
  });
}

// ---- drawn anew from time to time ----

const live = document.getElementById("live");
const trouble = document.getElementById("trouble");
let paused = false;

const FOCUSABLE = ".plot, summary, a, pre";

const exchange = (before, after) => {
  const place = [...before.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const about = after.querySelector("details");
  if (about) about.open = before.querySelector("details").open;
  const plot = before.querySelector(".plot");
  const step = plot && plot === shownPlot ? cursors.get(plot) : undefined;
  before.replaceWith(after);
  if (place >= 0) after.querySelectorAll(FOCUSABLE)[place]?.focus({ preventScroll: true });
  const fresh = after.querySelector(".plot");
  if (fresh && step !== undefined) show(fresh, step);
};

const refresh = async () => {
  if (paused || document.hidden) return;
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const panel of document.querySelectorAll(".panel")) {
      const after = fresh.getElementById(panel.id);
      if (after) exchange(panel, after);
    }
    const alerts = fresh.getElementById("alerts");
    const own = document.getElementById("alerts");
    if (alerts && !own.contains(document.activeElement)) own.replaceWith(alerts);
    document.getElementById("updated").textContent = fresh.getElementById("updated").textContent;
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = `This page's own server does not answer (${error.message}); what is shown is of ${document.getElementById("updated").textContent}.`;
    trouble.hidden = false;
  }
};

if (live) {
  live.hidden = false;
  live.addEventListener("click", () => {
    paused = !paused;
    live.textContent = paused ? "Resume" : "Pause";
    if (!paused) refresh();
  });
  setInterval(refresh, Number(live.dataset.seconds) * 1000);
  document.addEventListener("visibilitychange", refresh);
}
