// What a script and the test that runs it say to each other: one JSON object a line.
//
//   test → script   the configuration, first; then the answer to each question, in order
//   script → test   {"visit", "until"} and {"type", "page"} ask something of the person;
//                   {"done"} ends
import './webcrypto.mjs';
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (message) => process.stdout.write(JSON.stringify(message) + '\n');

export const given = await read();

/** Where the person's browser lands: an address that begins with `until`. */
export async function visit(url, until) {
  write({ visit: String(url), until });
  return new URL((await read()).landed);
}

/** The person opens a device's page and types the code that the device shows. */
export async function type(code, page) {
  write({ type: code, page });
  return new URL((await read()).landed);
}

export function done(found) {
  write({ done: found });
  process.exitCode = 0;
  process.stdin.destroy();
}

/** fetch, with the client's certificate where its configuration has one. */
export const shown = given.tls ? await withCertificate(given.tls) : fetch;

async function withCertificate(connect) {
  const undici = await import('undici');
  const dispatcher = new undici.Agent({ connect });
  return (url, options) => undici.fetch(url, { ...options, dispatcher });
}

const ALGORITHMS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};

/** The client's private key, from the JWK in its configuration. */
export async function signingKey(jwk = given.key) {
  const key = await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[jwk.alg], false, ['sign']);
  return { key, kid: jwk.kid };
}

/** The error code of a refusal that is expected. */
export async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.cause?.error ?? error.code ?? String(error);
  }
  return 'accepted';
}
