// A client on its own account, and what it exchanges a person's token for (RFC 8693).
import { done, given, refused, signingKey } from '../talk.mjs';
import * as client from 'openid-client';

const config = await client.discovery(
  new URL(given.issuer),
  given.client_id,
  undefined,
  given.key
    ? client.PrivateKeyJwt(await signingKey())
    : client.ClientSecretBasic(given.client_secret),
  { execute: [client.allowInsecureRequests] },
);
const DPoP = given.dpop
  ? client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  : undefined;
const tokens = await client.clientCredentialsGrant(config, given.parameters, { DPoP });
const called = async (token) =>
  (await client.fetchProtectedResource(
    config, token, new URL(given.api), 'GET', null, undefined, { DPoP },
  )).status;
done({
  token_type: tokens.token_type,
  scope: tokens.scope,
  refresh_token: tokens.refresh_token,
  status: await called(tokens.access_token),
  refused: await refused(client.clientCredentialsGrant(config, { scope: 'openid' }, { DPoP })),
});
