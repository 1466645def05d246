// The same sign-in at the simulator of e-identification providers, once for each fault: what
// openid-client makes of it. Nobody is asked; the simulator answers at once.
import { done, given } from '../talk.mjs';
import * as client from 'openid-client';

const found = {};
for (const fault of given.faults) {
  try {
    found[fault] = await signIn(fault);
  } catch (error) {
    const cause = error.cause instanceof Error ? error.cause.message : '';
    found[fault] = `${error.code ?? error.name}: ${error.error ?? error.message} ${cause}`;
  }
}
done(found);

async function signIn(fault) {
  const config = await client.discovery(
    new URL(given.issuer),
    given.client_id,
    { require_auth_time: true },
    client.ClientSecretBasic(given.client_secret),
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks], timeout: 5 },
  );
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: given.redirect_uri,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    max_age: '60',
    login_hint: `sim?auto=1&person=huong${fault === 'none' ? '' : `&fault=${fault}`}`,
  });
  const answer = await fetch(url, { redirect: 'manual' });
  const tokens = await client.authorizationCodeGrant(
    config,
    new URL(answer.headers.get('location')),
    { pkceCodeVerifier, expectedNonce, expectedState, maxAge: 60, idTokenExpected: true },
  );
  const claims = tokens.claims();
  return (await client.fetchUserInfo(config, tokens.access_token, claims.sub)).citizen_id;
}
