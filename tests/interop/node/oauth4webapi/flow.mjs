// The same by oauth4webapi, where each request and each check is a call of its own.
import { done, given, refused, shown, signingKey, visit } from '../talk.mjs';
import * as oauth from 'oauth4webapi';

const insecure = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: shown };
const issuer = new URL(given.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { ...insecure, algorithm: given.discovery }),
);
const client = { client_id: given.client_id, ...given.metadata };
const authentications = {
  client_secret_basic: () => oauth.ClientSecretBasic(given.client_secret),
  client_secret_post: () => oauth.ClientSecretPost(given.client_secret),
  client_secret_jwt: () => oauth.ClientSecretJwt(given.client_secret),
  private_key_jwt: async () => oauth.PrivateKeyJwt(await signingKey()),
  tls_client_auth: () => oauth.TlsClientAuth(),
  self_signed_tls_client_auth: () => oauth.TlsClientAuth(),
  none: () => oauth.None(),
};
const auth = await authentications[given.auth ?? 'client_secret_basic']();
const DPoP = given.dpop ? oauth.DPoP(client, await oauth.generateKeyPair('ES256')) : undefined;
const options = { ...insecure, DPoP };

let nonces = 0;

/** Send it, and once more where the server first wants its nonce in the proof (RFC 9449 §8). */
async function twice(request, process) {
  try {
    return await process(await request());
  } catch (error) {
    if (!DPoP || !oauth.isDPoPNonceError(error)) throw error;
    nonces += 1;
    return process(await request());
  }
}

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
let parameters = new URLSearchParams({
  client_id: client.client_id,
  response_type: given.hybrid ? 'code id_token' : 'code',
  redirect_uri: given.redirect_uri,
  scope: given.scope ?? 'openid profile email org',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
  ...(given.jarm && { response_mode: 'jwt' }),
  ...given.parameters,
});
if (given.jar) {
  const request = await oauth.issueRequestObject(as, client, parameters, await signingKey());
  parameters = new URLSearchParams({ client_id: client.client_id, request });
}
if (given.par) {
  const pushed = await twice(
    () => oauth.pushedAuthorizationRequest(as, client, auth, parameters, options),
    (response) => oauth.processPushedAuthorizationResponse(as, client, response),
  );
  parameters = new URLSearchParams({
    client_id: client.client_id,
    request_uri: pushed.request_uri,
  });
}
const url = new URL(as.authorization_endpoint);
url.search = parameters;

const landed = await visit(url, given.redirect_uri);
let answer;
if (given.jarm) answer = await oauth.validateJwtAuthResponse(as, client, landed, state, insecure);
else if (given.hybrid) {
  answer = await oauth.validateCodeIdTokenResponse(
    as, client, landed, nonce, state, undefined, insecure,
  );
} else answer = oauth.validateAuthResponse(as, client, landed, state);

let response;
const tokens = await twice(
  async () =>
    (response = await oauth.authorizationCodeGrantRequest(
      as, client, auth, answer, given.redirect_uri, verifier, options,
    )),
  (answered) =>
    oauth.processAuthorizationCodeResponse(as, client, answered, {
      expectedNonce: nonce,
      requireIdToken: true,
    }),
);
const claims = oauth.getValidatedIdTokenClaims(tokens);
await oauth.validateApplicationLevelSignature(as, response, insecure);

async function userinfo(token) {
  const asking = () => oauth.userInfoRequest(as, client, token, options);
  return twice(asking, (answered) =>
    oauth.processUserInfoResponse(as, client, claims.sub, answered),
  );
}

async function introspect(token) {
  const answered = await oauth.introspectionRequest(as, client, auth, token, insecure);
  const said = await oauth.processIntrospectionResponse(as, client, answered);
  if (client.introspection_signed_response_alg) {
    await oauth.validateApplicationLevelSignature(as, answered, insecure);
  }
  return said;
}

const refresh = (token) =>
  twice(
    () => oauth.refreshTokenGrantRequest(as, client, auth, token, options),
    (answered) => oauth.processRefreshTokenResponse(as, client, answered),
  );

const found = {
  asked: [...url.searchParams.keys()],
  landed: [...landed.searchParams.keys()],
  token_type: tokens.token_type,
  scope: tokens.scope,
  claims,
  userinfo: await userinfo(tokens.access_token),
};
if (given.auth !== 'none') found.introspection = await introspect(tokens.access_token);

if (given.exchange) {
  const answered = await oauth.genericTokenEndpointRequest(
    as,
    client,
    auth,
    'urn:ietf:params:oauth:grant-type:token-exchange',
    {
      subject_token: tokens.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: given.exchange,
    },
    insecure,
  );
  found.exchanged = await oauth.processGenericTokenEndpointResponse(as, client, answered);
  found.narrower = await userinfo(found.exchanged.access_token);
}

const refreshed = await refresh(tokens.refresh_token);
found.rotated = (refreshed.refresh_token ?? tokens.refresh_token) !== tokens.refresh_token;
found.renewed = await userinfo(refreshed.access_token);

const last = refreshed.refresh_token ?? tokens.refresh_token;
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, last, insecure),
);
found.after_revocation = await refused(refresh(last));
if (given.auth !== 'none') found.introspection_after = await introspect(refreshed.access_token);

if (given.post_logout_redirect_uri) {
  const goodbye = new URL(as.end_session_endpoint);
  goodbye.search = new URLSearchParams({
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: given.post_logout_redirect_uri,
    state: 'tạm biệt',
  });
  const back = await visit(goodbye, given.post_logout_redirect_uri);
  found.goodbye = back.searchParams.get('state');
}
found.nonces = nonces;
done(found);
