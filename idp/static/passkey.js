// Passkeys: asks the browser for what the form says, and sends the answer in it as any form is sent.
// At a sign-in the keys of this device stand among what the name field proposes, too.

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const named = (keys) => (keys ?? []).map((key) => ({ ...key, id: bytes(key.id) }));

function asked(form) {
  const asks = JSON.parse(form.dataset.asks);
  const challenge = bytes(asks.challenge);
  if (form.dataset.passkey === "get") {
    return { ...asks, challenge, allowCredentials: named(asks.allowCredentials) };
  }
  const user = { ...asks.user, id: bytes(asks.user.id) };
  return { ...asks, challenge, user, excludeCredentials: named(asks.excludeCredentials) };
}

function told(credential) {
  const { response } = credential;
  const said = { clientDataJSON: text(response.clientDataJSON) };
  if (response.attestationObject) {
    said.attestationObject = text(response.attestationObject);
    said.transports = response.getTransports?.() ?? [];
  } else {
    said.authenticatorData = text(response.authenticatorData);
    said.signature = text(response.signature);
    said.userHandle = response.userHandle ? text(response.userHandle) : null;
  }
  const id = text(credential.rawId);
  return JSON.stringify({ id, rawId: id, type: credential.type, response: said });
}

function prepare(form) {
  const say = (what) => {
    for (const one of form.querySelectorAll("[data-said]")) one.hidden = one.dataset.said !== what;
  };
  if (!window.PublicKeyCredential || !navigator.credentials) {
    say("unknown"); // pages opened within another application
    return;
  }
  const does = form.dataset.passkey;
  const autofill = new AbortController();
  let busy = false;

  const send = (credential) => {
    form.elements.credential.value = told(credential);
    form.submit();
  };
  // Whoever closes the browser's window has changed her mind: nothing is said.
  const failed = (error) => {
    if (error.name === "NotAllowedError" || error.name === "AbortError") return;
    say(error.name === "InvalidStateError" ? error.name : "failed");
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    say("");
    autofill.abort();
    try {
      send(await navigator.credentials[does]({ publicKey: asked(form) }));
    } catch (error) {
      failed(error);
      busy = false;
    }
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) busy = false; // back from the page that the answer led to
  });
  form.querySelector("button[type=submit]").hidden = false;

  const proposed = async () => {
    const can = await PublicKeyCredential.isConditionalMediationAvailable?.();
    if (!can || busy) return;
    const { signal } = autofill;
    try {
      send(await navigator.credentials.get({ publicKey: asked(form), mediation: "conditional", signal }));
    } catch {
      // The button is there, and says what is wrong.
    }
  };
  if (does === "get" && document.querySelector("input[autocomplete~=webauthn]")) proposed();
}

document.querySelectorAll("form[data-passkey]").forEach(prepare);
