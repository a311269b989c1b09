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

// A new wiki's address follows its name until somebody types an address.
const slug = document.querySelector("[data-slug-check]");
const source = document.querySelector("[data-slug-source]");
if (slug && source) {
  const verdict = document.getElementById("slug-live");
  let isOwn = slug.value !== "";
  let timer = 0;

  const check = () => {
    clearTimeout(timer);
    verdict.hidden = true;
    if (slug.value.length < 3) return;
    timer = setTimeout(async () => {
      const asked = slug.value;
      const answer = await fetch(`${slug.dataset.slugCheck}?slug=${encodeURIComponent(asked)}`);
      if (!answer.ok || asked !== slug.value) return;
      const { free, sentence } = await answer.json();
      verdict.textContent = sentence;
      verdict.classList.toggle("problem", !free);
      verdict.hidden = false;
    }, 250);
  };

  source.addEventListener("input", () => {
    if (isOwn) return;
    slug.value = source.value.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 30).replace(/-+$/, "");
    check();
  });
  slug.addEventListener("input", () => { isOwn = slug.value !== ""; check(); });
}
