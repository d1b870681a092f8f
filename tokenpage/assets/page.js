// What the page does without this, it does with it too.
"use strict";

// One answer shows a key: a form that is sent twice would lose it.
for (const form of document.querySelectorAll("form[method=post]")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", () => { sent = false; });
}

// Not every browser takes the attribute autofocus on what is no input.
requestAnimationFrame(() => requestAnimationFrame(() => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
}));

const key = document.getElementById("key");
const copy = document.getElementById("copy");
if (key && copy) {
  const status = document.getElementById("copied");
  key.addEventListener("focus", () => key.select());
  if (document.activeElement === key) key.select(); // it came before the listener
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    status.textContent = ""; // lest the same words a second time go unheard
    let done = false;
    try {
      await navigator.clipboard.writeText(key.value);
      done = true;
    } catch {
      key.select(); // not over HTTPS, or not permitted
      done = document.execCommand("copy");
    }
    status.textContent = done ? "Copied." : "Select the key and copy it with your keyboard or by a long press.";
  });
}
