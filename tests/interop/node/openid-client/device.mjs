// A device without a browser (RFC 8628): the person lets it in from hers.
import { done, given, type } from '../talk.mjs';
import * as client from 'openid-client';

const config = await client.discovery(
  new URL(given.issuer),
  given.client_id,
  undefined,
  client.ClientSecretBasic(given.client_secret),
  { execute: [client.allowInsecureRequests] },
);
const asked = await client.initiateDeviceAuthorization(config, {
  scope: 'openid profile offline_access',
});
const page = given.complete ? asked.verification_uri_complete : asked.verification_uri;
const waiting = client.pollDeviceAuthorizationGrant(config, asked);
const landed = await type(asked.user_code, page);
const tokens = await waiting;
done({
  landed: landed.pathname,
  claims: tokens.claims(),
  userinfo: await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub),
  refreshed: Boolean(await client.refreshTokenGrant(config, tokens.refresh_token)),
});
