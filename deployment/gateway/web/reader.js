// The reading pane: one whole article, its khoản and điểm laid out as in print, and its neighbours.
import { address, element, marked } from "./elements.js";

export function page(found, question) {
  const heading = element("h1", { id: "reader-title" });
  if (found.heading) heading.append(found.title ? `${found.heading}. ` : found.heading);
  heading.append(...marked(found.title || (found.heading ? "" : found.cid), found.title_marks));
  const source = [found.law, found.law_number].filter(Boolean).join(" · ");
  return [
    source ? element("p", { class: "source", text: source }) : "",
    heading,
    found.path.length ? element("p", { class: "path", text: found.path.join(" › ") }) : "",
    element("div", { class: "law" }, ...found.lines.map(line)),
    element("nav", { class: "turn", "aria-label": "Điều liền kề" }, turn(found.previous, "← ", "", question), turn(found.next, "", " →", question)),
  ];
}

export const citation = (found) =>
  [found.heading || found.title || found.cid, found.law, found.law_number && `(số ${found.law_number})`].filter(Boolean).join(" ");

function line({ kind, label, text, marks }) {
  if (kind === "line") return element("p", {}, ...marked(text, marks));
  return element("p", { class: kind }, element("span", { class: "label", text: `${label} ` }), element("span", {}, ...marked(text, marks)));
}

function turn(neighbour, before, after, question) {
  if (!neighbour) return element("span");
  const name = [neighbour.heading, neighbour.title].filter(Boolean).join(". ") || neighbour.cid;
  return element("a", { href: address(question, neighbour.cid), "data-cid": neighbour.cid, text: before + name + after });
}
