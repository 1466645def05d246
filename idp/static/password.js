// Shows a password where that is wanted; and says while a new one is typed what the server says of it.
// Without this script the page says the same when its form has been sent.

function showable(button) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  const show = (yes) => {
    field.type = yes ? "text" : "password";
    button.setAttribute("aria-pressed", String(yes));
  };
  button.addEventListener("click", () => {
    show(field.type === "password");
    field.focus();
  });
  // A browser would keep what was sent from a field of text for the next one to sit here.
  field.form.addEventListener("submit", () => show(false));
  button.hidden = false;
}

function judged(field) {
  const place = document.getElementById(`${field.id}-judged`);
  const pause = 400;
  let timer;
  let turn = 0;
  const ask = async (mine) => {
    const body = new URLSearchParams({
      csrf_token: field.form.elements.csrf_token.value,
      password: field.value,
    });
    let said = "";
    try {
      const answer = await fetch(field.dataset.judged, { method: "POST", body, redirect: "error" });
      said = answer.ok ? await answer.text() : "";
    } catch {
      // Away, or signed out: the page will say so when the form is sent.
    }
    if (mine === turn) place.innerHTML = said;
  };
  field.addEventListener("input", () => {
    turn += 1;
    clearTimeout(timer);
    if (field.value) timer = setTimeout(ask, pause, turn);
    else place.replaceChildren();
  });
  field.form.addEventListener("submit", () => {
    turn += 1;
    clearTimeout(timer);
  });
}

document.querySelectorAll("button[data-shows]").forEach(showable);
document.querySelectorAll("input[data-judged]").forEach(judged);
