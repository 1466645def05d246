// passport-openidconnect as its README shows it, over express and express-session.
import { readFileSync } from "node:fs";
import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";

const config = JSON.parse(readFileSync(process.argv[2], "utf-8"));

passport.use(
  new OpenIDConnectStrategy(
    {
      issuer: config.issuer,
      authorizationURL: config.authorization_endpoint,
      tokenURL: config.token_endpoint,
      userInfoURL: config.userinfo_endpoint,
      clientID: config.client_id,
      clientSecret: config.client_secret,
      callbackURL: config.redirect_uri,
      scope: ["profile", "email"],
    },
    (issuer, profile, done) => done(null, profile),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: config.client_secret, resave: false, saveUninitialized: false, name: "passport" }));
app.use(passport.session());
app.get("/", (req, res) => res.json({ user: req.user?.id ?? null, name: req.user?.displayName ?? null }));
app.get("/in", passport.authenticate("openidconnect"));
app.get("/callback", passport.authenticate("openidconnect", { successRedirect: "/", failureMessage: true, failureRedirect: "/failed" }));
app.get("/failed", (req, res) => res.status(401).json(req.session.messages ?? []));
app.get("/out", (req, res, next) => req.logout((error) => (error ? next(error) : res.redirect("/"))));
app.listen(config.port, "localhost");
