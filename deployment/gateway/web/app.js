// The search page: the address says what is shown (?q= the question, &dieu= the article), and everything follows it.
import * as gateway from "./ask.js";
import { address, element, number } from "./elements.js";
import { hit } from "./hits.js";
import { citation, page } from "./reader.js";

const part = (id) => document.getElementById(id);
const shown = { question: null, cid: null, article: null, searching: null, reading: null };
const FALLBACKS = {
  slow: "Bộ đọc kỹ trả lời chậm, nên thứ tự dưới đây là của vòng tìm đầu.",
  circuit_open: "Bộ đọc kỹ đang tạm nghỉ sau vài lần lỗi, nên thứ tự dưới đây là của vòng tìm đầu.",
  overloaded: "Bộ đọc kỹ đang bận, nên thứ tự dưới đây là của vòng tìm đầu.",
  down: "Bộ đọc kỹ không trả lời, nên thứ tự dưới đây là của vòng tìm đầu.",
  bad_answer: "Bộ đọc kỹ trả lời sai dạng, nên thứ tự dưới đây là của vòng tìm đầu.",
};

function follow() {
  const asked = new URLSearchParams(location.search);
  const question = (asked.get("q") ?? "").trim();
  const cid = asked.get("dieu");
  if (question !== shown.question) ask(question);
  if (cid !== shown.cid) read(cid, question);
}

function go(to) {
  if (to !== location.pathname + location.search) history.pushState(null, "", to);
  follow();
}

async function ask(question) {
  shown.question = question;
  shown.searching?.abort();
  part("question").value = question;
  part("welcome").hidden = question !== "";
  part("answers").hidden = question === "";
  document.title = question ? `${question} – Tra cứu luật` : "Tra cứu luật";
  if (!question) return;
  const stop = (shown.searching = new AbortController());
  waiting();
  const started = performance.now();
  try {
    const answer = await gateway.search(question, stop.signal);
    results(answer, (performance.now() - started) / 1000);
  } catch (error) {
    if (error.name !== "AbortError") trouble(error);
  }
}

function waiting() {
  for (const id of ["trouble", "key-form", "notice"]) part(id).hidden = true;
  part("status").textContent = "Đang tìm…";
  part("answers").setAttribute("aria-busy", "true");
  part("results").replaceChildren(...[1, 2, 3].map(() => element("li", { class: "ghost", "aria-hidden": "true" })));
}

function results(answer, seconds) {
  part("answers").setAttribute("aria-busy", "false");
  part("notice").hidden = !FALLBACKS[answer.fallback_reason];
  part("notice").textContent = FALLBACKS[answer.fallback_reason] ?? "";
  part("status").textContent = answer.results.length
    ? `${answer.results.length} điều sát nhất · ${number(seconds, 2)} giây${answer.reranked ? " · đã đọc kỹ các điều đầu" : ""}`
    : "Không tìm thấy điều nào. Hãy thử diễn đạt khác, hoặc dùng từ ngữ của luật.";
  part("results").replaceChildren(...answer.results.map((found) => hit(found, answer.question, answer.weights)));
  select();
}

function trouble(error) {
  if (!(error instanceof gateway.Trouble)) throw error;
  part("answers").setAttribute("aria-busy", "false");
  part("results").replaceChildren();
  part("status").textContent = "";
  part("key-form").hidden = !error.keyNeeded;
  part("trouble").hidden = error.keyNeeded;
  part("trouble").querySelector(".trouble-title").textContent = error.message;
  part("trouble").querySelector(".trouble-advice").textContent = error.advice;
  part("retry").hidden = !error.retry;
}

async function read(cid, question) {
  const before = shown.cid;
  shown.cid = cid;
  shown.article = null;
  shown.reading?.abort();
  part("reader").hidden = !cid;
  part("main").classList.toggle("reading", Boolean(cid));
  select();
  if (!cid) {
    if (before) link(before)?.focus();
    return;
  }
  const stop = (shown.reading = new AbortController());
  part("reader-content").replaceChildren(element("h1", { id: "reader-title", text: "Đang mở…" }));
  part("reader").scrollTop = 0;
  part("reader").focus();
  try {
    shown.article = await gateway.article(cid, question, stop.signal);
    part("reader-content").replaceChildren(...page(shown.article, question));
  } catch (error) {
    if (error.name === "AbortError") return;
    const advice = element("p", { class: "trouble-advice", text: error.advice ?? "" });
    part("reader-content").replaceChildren(element("h1", { id: "reader-title", text: error.message }), advice);
  }
}

const link = (cid) => part("results").querySelector(`h2 a[data-cid="${CSS.escape(cid)}"]`);
const close = () => go(address(shown.question, null));

function select() {
  for (const one of part("results").querySelectorAll(".hit")) one.classList.toggle("open", one.dataset.cid === shown.cid);
}

function step(by) {
  const links = [...part("results").querySelectorAll("h2 a")];
  const at = links.findIndex((one) => one === document.activeElement || one.dataset.cid === shown.cid);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, at + by))];
  next?.focus();
}

function keyed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea");
  const inReader = part("reader").contains(event.target);
  if (event.key === "/" && !typing) part("question").select();
  else if (event.key === "Escape" && shown.cid) close();
  else if (event.key === "ArrowDown" && !inReader) step(1);
  else if (event.key === "ArrowUp" && !inReader && !typing) step(-1);
  else return;
  event.preventDefault();
}

function clicked(event) {
  const anchor = event.target.closest("a[href^='/?'], a[href='/']");
  if (!anchor || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
}

async function copy(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Đã chép";
  } catch {
    button.textContent = "Không chép được";
  }
  setTimeout(() => (button.textContent = before), 1500);
}

function themed() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const dark = (document.documentElement.dataset.theme ?? system) === "dark";
  part("theme").setAttribute("aria-pressed", String(dark));
  return dark;
}

function turnTheme() {
  const theme = themed() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // storage is closed to this page: the choice lasts as long as the page
  }
  themed();
}

async function showLaws() {
  try {
    const { laws } = await gateway.laws();
    const named = laws.filter((law) => law.name);
    const item = (law) => element("li", { text: `${law.name} ` }, element("span", { text: `${number(law.articles, 0)} điều` }));
    part("laws").querySelector("ul").replaceChildren(...named.map(item));
    part("laws").hidden = named.length === 0;
  } catch {
    // the welcome does without; a search will say what is wrong
  }
}

const online = () => (part("offline").hidden = navigator.onLine);
const again = () => ask(shown.question);

part("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = part("question").value.trim();
  if (question === shown.question) again();
  else go(address(question, null));
});
part("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  gateway.keepKey(part("key").value.trim());
  again();
});
part("retry").addEventListener("click", again);
part("close").addEventListener("click", close);
part("cite").addEventListener("click", (event) => shown.article && copy(event.currentTarget, citation(shown.article)));
part("link").addEventListener("click", (event) => copy(event.currentTarget, location.href));
part("theme").addEventListener("click", turnTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);
addEventListener("keydown", keyed);
addEventListener("click", clicked);
addEventListener("popstate", follow);
addEventListener("online", online);
addEventListener("offline", online);
online();
themed();
showLaws();
follow();
if (!shown.question && matchMedia("(pointer: fine)").matches) part("question").focus();
