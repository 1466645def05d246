// The same by oauth4webapi: it asks, waits as long as it is told to, and asks again.
import { done, given, type } from '../talk.mjs';
import * as oauth from 'oauth4webapi';
import { setTimeout as pause } from 'node:timers/promises';

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(given.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, insecure),
);
const client = { client_id: given.client_id };
const auth = oauth.ClientSecretBasic(given.client_secret);
const asked = await oauth.processDeviceAuthorizationResponse(
  as,
  client,
  await oauth.deviceAuthorizationRequest(
    as, client, auth, { scope: 'openid profile offline_access' }, insecure,
  ),
);

async function poll() {
  const answer = await oauth.deviceCodeGrantRequest(as, client, auth, asked.device_code, insecure);
  return oauth.processDeviceCodeResponse(as, client, answer);
}

const refusals = [];
const refused = (error) => {
  if (!(error instanceof oauth.ResponseBodyError)) throw error;
  refusals.push(error.error);
};
await poll().catch(refused);
if (given.hasty) await poll().catch(refused); // at once: too soon
const page = given.complete ? asked.verification_uri_complete : asked.verification_uri;
const landed = await type(asked.user_code, page);
// After slow_down five seconds more (RFC 8628 §3.5).
await pause((asked.interval + (given.hasty ? 5 : 0)) * 1000);
const tokens = await poll();
const claims = oauth.getValidatedIdTokenClaims(tokens);
const userinfo = await oauth.processUserInfoResponse(
  as,
  client,
  claims.sub,
  await oauth.userInfoRequest(as, client, tokens.access_token, insecure),
);
await oauth.processRefreshTokenResponse(
  as,
  client,
  await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, insecure),
);
done({ landed: landed.pathname, claims, userinfo, refusals, refreshed: true });
