// Says in good time that the session ends, and lets her stay. Without this script the note at the foot of
// the page names the time, and any page that is opened puts it off.

const box = document.getElementById("session-end");
const key = `dinhdanh-ends-${box.dataset.area}`;
const stay = box.querySelector("[data-stay]");
const seconds = box.querySelector("[data-seconds]");
let lead = Number(box.dataset.lead);
let whole = box.dataset.whole === "yes";
let endsAt = 0;

// What one tab does keeps the others alive.
function until(left, area = box.dataset.area) {
  const at = Date.now() + 1000 * left;
  if (area === box.dataset.area) endsAt = at;
  try {
    localStorage.setItem(`dinhdanh-ends-${area}`, String(at));
  } catch {
    // Not kept here: each tab warns for itself.
  }
}

function say(state) {
  box.querySelectorAll("[data-when]").forEach((part) => {
    part.hidden = !part.dataset.when.split(" ").includes(state);
  });
}

function look() {
  const left = Math.ceil((endsAt - Date.now()) / 1000);
  if (left > lead) {
    if (box.open) box.close();
    return;
  }
  say(left <= 0 ? "over" : whole ? "whole" : "idle");
  seconds.textContent = String(Math.max(0, left));
  if (!box.open && box.dataset.read !== "yes") box.showModal();
}

async function remain() {
  try {
    const answer = await fetch(box.dataset.stay, { redirect: "manual" });
    if (!answer.ok) throw new Error("over");
    const told = await answer.json();
    lead = told.lead;
    whole = told.whole;
    until(told.left);
    until(told.session_left, "portal");
  } catch {
    endsAt = 0;
  }
  look();
}

function read() {
  // Told once that it is over: what is typed stays, and is kept when it is sent.
  if (endsAt <= Date.now() || whole) box.dataset.read = "yes";
  box.close();
}

stay.addEventListener("click", remain);
box.querySelector("[data-close]").addEventListener("click", read);
box.addEventListener("cancel", (event) => {
  event.preventDefault();
  if (endsAt > Date.now() && !whole) remain();
  else read();
});
window.addEventListener("storage", (event) => {
  if (event.key !== key || Number(event.newValue) <= endsAt) return;
  endsAt = Number(event.newValue);
  whole = false;
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) look();
});

until(Number(box.dataset.sessionLeft), "portal");
until(Number(box.dataset.left));
setInterval(look, 1000);
