// Light or dark, before the page is drawn: the reader's own choice, else the system's.
"use strict";
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    // storage is closed to this page: the system's choice holds
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
