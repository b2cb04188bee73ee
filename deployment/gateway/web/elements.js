// Making elements: text only ever goes in as text, so nothing that was typed or found can become markup.

export function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  if (text !== undefined) made.textContent = text;
  made.append(...children.filter((child) => child !== null));
  return made;
}

// `marks` count Unicode code points, as the gateway does; JavaScript's own positions count UTF-16 units.
export function marked(text, marks) {
  const characters = Array.from(text);
  const pieces = [];
  let last = 0;
  for (const [start, end] of marks) {
    pieces.push(characters.slice(last, start).join(""), element("mark", { text: characters.slice(start, end).join("") }));
    last = end;
  }
  pieces.push(characters.slice(last).join(""));
  return pieces;
}

export const number = (value, digits) =>
  value.toLocaleString("vi-VN", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const address = (question, cid) => {
  const parts = new URLSearchParams();
  if (question) parts.set("q", question);
  if (cid) parts.set("dieu", cid);
  const query = parts.toString();
  return query ? `/?${query}` : "/";
};
