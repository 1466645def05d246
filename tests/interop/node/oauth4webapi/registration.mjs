// A client registers itself (RFC 7591) with an initial access token.
import { done, given, refused } from '../talk.mjs';
import * as oauth from 'oauth4webapi';

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(given.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, insecure),
);
const register = async (metadata, initialAccessToken) =>
  oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(as, metadata, { ...insecure, initialAccessToken }),
  );
done({
  client: await register(given.metadata, given.initial_access_token),
  refused: await refused(register(given.metadata, undefined)),
});
