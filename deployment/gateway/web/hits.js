// One article among the results: where it stands in the law, what it says, and why it ranks here.
import { address, element, marked, number } from "./elements.js";

export function hit(found, question, weights) {
  const title = element("a", { href: address(question, found.cid), "data-cid": found.cid });
  if (found.heading) title.append(found.title ? `${found.heading}. ` : found.heading);
  title.append(...marked(found.title || (found.heading ? "" : found.cid), found.title_marks));
  const source = [found.law, found.law_number].filter(Boolean).join(" · ");
  return element(
    "li",
    { class: "hit", "data-cid": found.cid },
    source ? element("p", { class: "source", text: source }) : null,
    element("h2", {}, title),
    found.path.length ? element("p", { class: "path", text: found.path.join(" › ") }) : null,
    element("p", { class: "snippet" }, ...marked(found.snippet, found.snippet_marks)),
    why(found, weights),
  );
}

function why(found, weights) {
  const { components: parts } = found;
  const share = (weight) => `${number(weight * 100, 0)} %`;
  const read = parts.reranker !== null;
  const first = read ? 1 - weights.reranker : 1;
  const rows = [
    row("Từ khóa (BM25)", parts.bm25_scaled, parts.bm25, 1, `Góp ${share(first * weights.bm25)} điểm xếp hạng`),
    row("Ý nghĩa (véc-tơ)", parts.dense_scaled, parts.dense, 3, `Góp ${share(first * weights.dense)} điểm xếp hạng`),
    row("đoạn sát nhất", parts.passage, parts.passage, 3, "Độ gần của câu hỏi với đoạn sát nhất", "part"),
  ];
  if (parts.title !== null) rows.push(row("tên điều", parts.title, parts.title, 3, "Độ gần của câu hỏi với tên điều", "part"));
  rows.push(row("Vòng đầu: cả hai", parts.hybrid, parts.hybrid, 3, "Từ khóa và ý nghĩa trộn lại; thêm điểm cho điều, luật mà câu hỏi nêu"));
  if (read) rows.push(row("Đọc kỹ", parts.reranker, parts.reranker, 3, `Góp ${share(weights.reranker)} điểm xếp hạng`));
  // what the reranker did not read stands behind what it read, with a score below 0 that says nothing to people
  if (found.score >= 0) rows.push(row("Điểm xếp hạng", found.score, found.score, 3, "Điểm cuối, dùng để xếp thứ tự", "total"));
  return element(
    "details",
    { class: "why" },
    element("summary", {}, "Vì sao ở đây", element("span", { class: "unseen", text: `: ${found.heading} ${found.title}` })),
    element("p", { text: reason(found) }),
    element("table", {}, element("caption", { class: "unseen", text: "Các điểm thành phần" }), element("tbody", {}, ...rows)),
  );
}

function row(name, share, value, digits, explained, kind) {
  const filled = element("i");
  filled.style.setProperty("--share", String(Math.max(0, Math.min(1, share ?? 0))));
  return element(
    "tr",
    { class: kind, title: explained },
    element("th", { scope: "row", text: name }),
    element("td", {}, element("span", { class: "bar", "aria-hidden": "true" }, filled)),
    element("td", { class: "value", text: value === null ? "không" : number(value, digits) }),
  );
}

function reason({ rank, score, components: parts }) {
  const found = `Thứ ${rank}: ${WORDS[level(parts.bm25_scaled)]}, ${MEANING[level(parts.dense_scaled)]}, so với các điều khác được xét.`;
  const first = parts.citation ? `${CITATION[parts.citation]} ${found}` : found;
  if (parts.reranker !== null) return `${first} Sau khi đọc kỹ, máy cho rằng đoạn này trả lời câu hỏi: ${number(parts.reranker * 100, 0)} %.`;
  return score < 0 ? `${first} Đứng sau các điều đã được đọc kỹ.` : first;
}

const CITATION = { article: "Câu hỏi nêu đúng điều này.", law_or_number: "Câu hỏi nêu luật này hoặc số của điều này." };
const WORDS = ["rất ít từ khóa trùng", "một số từ khóa trùng", "khá nhiều từ khóa trùng", "rất nhiều từ khóa trùng"];
const MEANING = ["ý nghĩa còn xa", "ý nghĩa hơi gần", "ý nghĩa khá gần", "ý nghĩa rất gần"];
const level = (scaled) => [0.2, 0.5, 0.85].filter((least) => scaled > least).length;
