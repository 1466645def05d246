// node-oidc-provider as the yardstick of `python -m bench --peer node`: the same clients, people,
// paths, algorithms and hash as Dinhdanh's. What it is to be is one JSON object on standard input:
//
//   issuer, port, database (of pg), cookieKey, clients (metadata), people ({username, password, …})
//
// "ready" on standard output says that it answers.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { Algorithm, hash, verify } from '@node-rs/argon2';

import { open } from './adapter.mjs';

// Node.js 20 does not have it yet, and the provider asks for it.
URL.parse ??= (address, base) => (URL.canParse(address, base) ? new URL(address, base) : null);
const { default: Provider } = await import('oidc-provider');

const HASH = { algorithm: Algorithm.Argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };
const HOUR = 3600;

const wanted = JSON.parse(await text(process.stdin));
const { Adapter } = await open(wanted.database);
const clients = new Adapter('Client');
const accounts = new Adapter('Account');
if (wanted.clientsStored) {
  for (const client of wanted.clients) await clients.upsert(client.client_id, client);
}
for (const { password, ...person } of wanted.people) {
  await accounts.upsert(person.username, { ...person, hash: await hash(password, HASH) });
}

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const provider = new Provider(wanted.issuer, {
  adapter: Adapter,
  clients: wanted.clientsStored ? [] : wanted.clients,
  jwks: { keys: [{ ...key, use: 'sig', alg: 'ES256' }] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256'] },
  cookies: { keys: [wanted.cookieKey] },
  scopes: ['openid', 'profile', 'email', 'org', 'changes:read'],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    org: ['org'],
  },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true },
    deviceFlow: { enabled: false },
    rpInitiatedLogout: { enabled: false },
  },
  routes: {
    authorization: '/oauth2/authorize',
    token: '/oauth2/token',
    introspection: '/oauth2/introspect',
    revocation: '/oauth2/revoke',
    userinfo: '/oauth2/userinfo',
    jwks: '/oauth2/jwks',
    pushed_authorization_request: '/oauth2/par',
  },
  ttl: {
    AccessToken: HOUR,
    AuthorizationCode: 60,
    ClientCredentials: HOUR,
    Grant: 24 * HOUR,
    IdToken: HOUR,
    Interaction: HOUR,
    RefreshToken: 24 * HOUR,
    Session: 24 * HOUR,
  },
  rotateRefreshToken: true,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
  findAccount,
  loadExistingGrant,
});

async function findAccount(ctx, username) {
  const person = await accounts.find(username);
  if (person === undefined) return undefined;
  return { accountId: username, claims: () => person.claims };
}

// The applications are of the house: nobody is asked for consent.
async function loadExistingGrant({ oidc: { client, session, params } }) {
  const known = session.grantIdFor(client.clientId);
  if (known) return provider.Grant.find(known);
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  await provider.interactionDetails(ctx.req, ctx.res); // refuses whoever has not been sent here
  if (ctx.method === 'POST') return signIn(ctx);
  ctx.type = 'html';
  ctx.body = '<form method="post"><input name="username"><input name="password" type="password"><button>';
});

async function signIn(ctx) {
  const form = new URLSearchParams(await text(ctx.req));
  const person = await accounts.find(form.get('username'));
  if (person === undefined || !(await verify(person.hash, form.get('password')))) {
    ctx.status = 403;
    return;
  }
  const result = { login: { accountId: person.username } };
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result));
  ctx.status = 303;
}

const server = createServer(provider.callback());
server.keepAliveTimeout = 0; // as long as the load lasts
server.listen(wanted.port, 'localhost', () => process.stdout.write('ready\n'));
