// A person signs in, and everything that follows, as its configuration says: pushed (par), signed
// (jar), answered by a JWT (jarm), bound to a key (dpop), hybrid.
import { done, given, refused, shown, signingKey, visit } from '../talk.mjs';
import * as client from 'openid-client';

const authentications = {
  client_secret_basic: () => client.ClientSecretBasic(given.client_secret),
  client_secret_post: () => client.ClientSecretPost(given.client_secret),
  client_secret_jwt: () => client.ClientSecretJwt(given.client_secret),
  private_key_jwt: async () => client.PrivateKeyJwt(await signingKey()),
  tls_client_auth: () => client.TlsClientAuth(),
  self_signed_tls_client_auth: () => client.TlsClientAuth(),
  none: () => client.None(),
};

const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
if (given.hybrid) execute.push(client.useCodeIdTokenResponseType);
if (given.jarm) execute.push(client.useJwtResponseMode);

const config = await client.discovery(
  new URL(given.issuer),
  given.client_id,
  given.metadata,
  await authentications[given.auth ?? 'client_secret_basic'](),
  { execute, algorithm: given.discovery, [client.customFetch]: shown },
);
const DPoP = given.dpop
  ? client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  : undefined;
const bound = { DPoP };

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
let parameters = new URLSearchParams({
  redirect_uri: given.redirect_uri,
  scope: given.scope ?? 'openid profile email org',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
  ...given.parameters,
});
let url = client.buildAuthorizationUrl(config, parameters);
if (given.jar) {
  url = await client.buildAuthorizationUrlWithJAR(config, parameters, await signingKey());
  parameters = url.searchParams;
}
if (given.par) url = await client.buildAuthorizationUrlWithPAR(config, parameters, bound);

const landed = await visit(url, given.redirect_uri);
const tokens = await client.authorizationCodeGrant(
  config,
  landed,
  { pkceCodeVerifier, expectedNonce, expectedState, idTokenExpected: true },
  undefined,
  bound,
);
const claims = tokens.claims();
const found = {
  asked: [...url.searchParams.keys()],
  landed: [...landed.searchParams.keys()],
  token_type: tokens.token_type,
  scope: tokens.scope,
  claims,
  userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub, bound),
};

if (given.auth !== 'none') {
  found.introspection = await client.tokenIntrospection(config, tokens.access_token);
}

if (given.exchange) {
  found.exchanged = await client.genericGrantRequest(
    config,
    'urn:ietf:params:oauth:grant-type:token-exchange',
    {
      subject_token: tokens.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: given.exchange,
    },
  );
  const narrower = found.exchanged.access_token;
  found.narrower = await client.fetchUserInfo(config, narrower, claims.sub);
}

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, bound);
found.rotated = (refreshed.refresh_token ?? tokens.refresh_token) !== tokens.refresh_token;
found.renewed = await client.fetchUserInfo(config, refreshed.access_token, claims.sub, bound);

const last = refreshed.refresh_token ?? tokens.refresh_token;
await client.tokenRevocation(config, last);
found.after_revocation = await refused(client.refreshTokenGrant(config, last, undefined, bound));
if (given.auth !== 'none') {
  found.introspection_after = await client.tokenIntrospection(config, refreshed.access_token);
}

if (given.post_logout_redirect_uri) {
  const goodbye = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: given.post_logout_redirect_uri,
    state: 'tạm biệt',
  });
  const back = await visit(goodbye, given.post_logout_redirect_uri);
  found.goodbye = back.searchParams.get('state');
}
done(found);
