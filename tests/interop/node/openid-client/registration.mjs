// A client registers itself (RFC 7591) with an initial access token.
import { done, given, refused } from '../talk.mjs';
import * as client from 'openid-client';

const register = (metadata, token) =>
  client.dynamicClientRegistration(new URL(given.issuer), metadata, undefined, {
    initialAccessToken: token,
    execute: [client.allowInsecureRequests],
  });
const config = await register(given.metadata, given.initial_access_token);
done({
  client: config.clientMetadata(),
  refused: await refused(register(given.metadata, undefined)),
});
