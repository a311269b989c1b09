// Conveniences only: every page works without this file.
"use strict";

// Copy buttons are hidden in the page, since without a script they would do nothing.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    const label = button.firstChild;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  });
}

// Where tabs or the ways of the frame do not fit, the one that is open is in view.
for (const open of document.querySelectorAll(".tabs [aria-current], .sidebar nav [aria-current]")) {
  const row = open.parentElement, end = open.offsetLeft - row.offsetLeft + open.offsetWidth;
  if (end > row.clientWidth) row.scrollLeft = end - row.clientWidth + 24;
}

// A page that lies on top of this one and goes away between the two clicks of a double click must not have the second
// one decide here: for a moment after the window comes to the front, these buttons do nothing.
const deliberate = document.querySelectorAll("[data-deliberate]");
if (deliberate.length) {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    for (const button of deliberate) button.setAttribute("aria-disabled", "true");
    timer = setTimeout(() => {
      for (const button of deliberate) button.removeAttribute("aria-disabled");
    }, 600);
  };
  for (const button of deliberate) {
    button.addEventListener("click", (event) => {
      if (button.hasAttribute("aria-disabled")) event.preventDefault();
    });
  }
  for (const arrival of ["focus", "pageshow"]) window.addEventListener(arrival, wait);
  document.addEventListener("visibilitychange", wait);
  wait();
}

// Whether a wiki's address, or a user name, is free. A new wiki's address follows its name until somebody types one.
const slug = document.querySelector("[data-slug-check]");
const source = document.querySelector("[data-slug-source]");
if (slug) {
  const verdict = document.getElementById(`${slug.id}-live`);
  let isOwn = slug.value !== "";
  let timer = 0;

  const check = () => {
    clearTimeout(timer);
    verdict.hidden = true;
    if (slug.value.length < 3) return;
    timer = setTimeout(async () => {
      const asked = slug.value;
      const answer = await fetch(`${slug.dataset.slugCheck}?${slug.name}=${encodeURIComponent(asked)}`);
      if (!answer.ok || asked !== slug.value) return;
      const { free, sentence } = await answer.json();
      verdict.textContent = sentence;
      verdict.classList.toggle("problem", !free);
      verdict.hidden = false;
    }, 250);
  };

  if (source) source.addEventListener("input", () => {
    if (isOwn) return;
    slug.value = source.value.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 30).replace(/-+$/, "");
    check();
  });
  slug.addEventListener("input", () => { isOwn = slug.value !== ""; check(); });
}

// "/" goes to the search box, as in the wikis themselves.
const searchBox = document.querySelector("input[type=search]");
if (searchBox) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    searchBox.focus();
    searchBox.select();
  });
}

// How far a wiki's index is, until it is done; then its panel as the server shows it now.
const LOOK_AFTER_MS = 1500;
const ASK_AGAIN_AFTER_MS = 10000;

function followIndex() {
  const panel = document.getElementById("index");
  if (!panel || !panel.dataset.progress) return;

  const look = async () => {
    if (document.hidden) return setTimeout(look, LOOK_AFTER_MS);
    const answer = await fetch(panel.dataset.progress).catch(() => null);
    if (!answer || answer.status >= 500) return setTimeout(look, ASK_AGAIN_AFTER_MS);
    if (!answer.ok || answer.redirected) return location.reload();
    const { busy, percent, sentence } = await answer.json();
    panel.querySelector("[data-sentence]").textContent = sentence;
    if (!busy) return showFinished(panel, sentence);
    panel.querySelector("progress").value = percent;
    setTimeout(look, LOOK_AFTER_MS);
  };
  setTimeout(look, LOOK_AFTER_MS);
}

async function showFinished(panel, sentence) {
  const answer = await fetch(location.pathname).catch(() => null);
  const page = answer && answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page && page.getElementById("index");
  if (!now) return location.reload();
  const hadFocus = panel.contains(document.activeElement);
  panel.replaceWith(now);
  if (hadFocus) now.querySelector("h2").focus();
  document.getElementById("index-news").textContent = sentence;
  followIndex(); // it may have begun again
}

followIndex();
