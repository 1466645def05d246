// express-openid-connect, with the code flow (its own default asks the front channel for an ID token).
import { readFileSync } from "node:fs";
import express from "express";
import eoc from "express-openid-connect";

const config = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const app = express();
app.use(
  eoc.auth({
    issuerBaseURL: config.issuer,
    baseURL: config.base_url,
    clientID: config.client_id,
    clientSecret: config.client_secret,
    secret: config.client_secret,
    authRequired: false,
    idpLogout: true,
    authorizationParams: { response_type: "code", scope: "openid profile email" },
  }),
);
app.get("/", (req, res) =>
  res.json({ user: req.oidc.user?.sub ?? null, name: req.oidc.user?.name ?? null }),
);
app.listen(config.port, "localhost");
