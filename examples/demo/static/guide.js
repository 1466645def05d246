// The codes as they are now: asked for again when they change. Without this script: reload.
"use strict";
const seconds = document.getElementById("seconds");
let left = Number(seconds.textContent);

async function look() {
  const answer = await fetch("codes");
  if (!answer.ok) return;
  const found = await answer.json();
  for (const shown of document.querySelectorAll("output[data-of]")) {
    shown.textContent = found.codes[shown.dataset.of];
  }
  left = found.seconds;
}

setInterval(() => {
  left -= 1;
  if (left <= 0) {
    left = 30;
    look().catch(() => {});
  }
  seconds.textContent = left;
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look().catch(() => {});
});
