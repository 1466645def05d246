// A client on its own account, its token bound to a key or not.
import { done, given, refused, signingKey } from '../talk.mjs';
import * as oauth from 'oauth4webapi';

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(given.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, insecure),
);
const client = { client_id: given.client_id };
const auth = given.key
  ? oauth.PrivateKeyJwt(await signingKey())
  : oauth.ClientSecretBasic(given.client_secret);
const DPoP = given.dpop ? oauth.DPoP(client, await oauth.generateKeyPair('ES256')) : undefined;
const options = { ...insecure, DPoP };

async function twice(send) {
  try {
    return await send();
  } catch (error) {
    if (!DPoP || !oauth.isDPoPNonceError(error)) throw error;
    return send();
  }
}

const granted = (parameters) =>
  twice(async () =>
    oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, options),
    ),
  );
const tokens = await granted(given.parameters);
const call = () =>
  oauth.protectedResourceRequest(
    tokens.access_token, 'GET', new URL(given.api), undefined, null, options,
  );
done({
  token_type: tokens.token_type,
  scope: tokens.scope,
  refresh_token: tokens.refresh_token,
  status: (await twice(call)).status,
  refused: await refused(granted({ scope: 'openid' })),
});
