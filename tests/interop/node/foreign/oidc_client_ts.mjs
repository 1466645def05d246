// oidc-client-ts in a page: a public client, so with PKCE, as it does by itself.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import express from "express";

const config = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const library = `${dirname(createRequire(import.meta.url).resolve("oidc-client-ts"))}/..`;

const page = `<!doctype html><meta charset="utf-8"><title>oidc-client-ts</title>
<p id="user"></p><button id="in">in</button><button id="out">out</button>
<script src="/library/browser/oidc-client-ts.min.js"></script>
<script>
  const users = new oidc.UserManager({
    authority: ${JSON.stringify(config.issuer)},
    client_id: ${JSON.stringify(config.client_id)},
    redirect_uri: ${JSON.stringify(config.redirect_uri)},
    post_logout_redirect_uri: ${JSON.stringify(config.base_url + "/")},
    scope: "openid profile",
  });
  const show = (text) => {
    const user = document.getElementById("user");
    user.textContent = text;
    user.dataset.who = text;
  };
  const start = location.pathname === "/callback" ? users.signinCallback() : users.getUser();
  start.then((user) => show(user ? user.profile.sub : "nobody"), (error) => show(String(error)));
  document.getElementById("in").onclick = () => users.signinRedirect();
  document.getElementById("out").onclick = () => users.signoutRedirect();
</script>`;

const app = express();
app.use("/library", express.static(library));
app.get(["/", "/callback"], (req, res) => res.type("html").send(page));
app.listen(config.port, "localhost");
