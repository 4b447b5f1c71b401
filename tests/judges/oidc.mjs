// An OpenID provider that demands proof of possession (DPoP) with its nonces, and an API behind it:
// `node oidc.mjs FOLDER PORT CLIENTS`, where FOLDER has the package, and CLIENTS is a file with the metadata of clients.
//
// Tokens, proofs and clients are judged by the package; what is added is a grant it does not have (RFC 7523, section 2.1), whose
// assertions its library judges, and the API: a list of pages for whoever has a token that is bound to a key.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, file] = process.argv.slice(2);
const from = (path) => import(pathToFileURL(join(folder, 'node_modules', path)));
const { default: Provider, errors } = await from('oidc-provider/lib/index.js');
const { default: validateProof } = await from('oidc-provider/lib/helpers/validate_dpop.js');
const { createLocalJWKSet, jwtVerify } = await from('jose/dist/node/esm/index.js');

const here = `http://127.0.0.1:${port}`;
const COUNT = 23;
const SIZE = 5;
const SCOPE = 'items:read';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const issued = [];
// Whom tokens are for that were granted by assertions.
const subjects = new Map();
// Where the next list is to find its token expired, if anywhere, and the tokens that are taken for that.
let expireAt;
const expired = new Set();

const provider = new Provider(here, {
  clients: JSON.parse(readFileSync(file)),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: {
    clientAuthSigningAlgValues: ['RS256', 'ES256'],
    dPoPSigningAlgValues: ['ES256'],
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', SCOPE],
  ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 3600, RefreshToken: 3600 },
});

async function byAssertion(ctx, next) {
  const { client, params } = ctx.oidc;
  const proof = await validateProof(ctx);
  if (!proof) throw new errors.InvalidGrant('DPoP proof JWT not provided');
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(params.assertion ?? '', createLocalJWKSet(client.jwks), {
      issuer: client.clientId,
      audience: `${here}/token`,
      requiredClaims: ['sub', 'exp', 'iat', 'jti'],
      maxTokenAge: '5m',
    }));
  } catch (error) {
    throw new errors.InvalidGrant(`the assertion is not valid: ${error.message}`);
  }
  if (!await provider.ReplayDetection.unique(client.clientId, claims.jti, claims.exp)) {
    throw new errors.InvalidGrant('the assertion was used before');
  }
  const scope = params.scope === SCOPE && claims.scope === SCOPE ? SCOPE : undefined;
  const token = new provider.ClientCredentials({ client, scope });
  ctx.oidc.entity('ClientCredentials', token);
  token.setThumbprint('jkt', proof.thumbprint);
  const value = await token.save();
  subjects.set(value, claims.sub);
  ctx.body = { access_token: value, expires_in: token.expiration, token_type: token.tokenType, scope };
  await next();
}

provider.registerGrantType(JWT_BEARER, byAssertion, ['assertion', 'scope'], []);
provider.on('grant.success', (ctx) => {
  const { AccessToken: token = ctx.oidc.entities.ClientCredentials } = ctx.oidc.entities;
  issued.push({ client: ctx.oidc.client.clientId, grant: ctx.oidc.params.grant_type, bound: Boolean(token?.jkt) });
});
provider.on('grant.error', (ctx, error) => {
  issued.push({ client: ctx.oidc.client?.clientId, error: error.error, detail: error.error_detail });
});

// A refresh token as a person would have got it by signing in.
async function refreshTokenOf(clientId) {
  const client = await provider.Client.find(clientId);
  const scope = `openid offline_access ${SCOPE}`;
  const grant = new provider.Grant({ accountId: 'mike', clientId });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const values = { accountId: 'mike', client, grantId, gty: 'authorization_code', scope };
  return new provider.RefreshToken({ ...values, authTime: Math.floor(Date.now() / 1000), sessionUid: 'practice' }).save();
}

// A page, for a token that the provider gave, with a proof of its key.
async function page(ctx) {
  ctx.oidc = new provider.OIDCContext(ctx);
  ctx.oidc.route = 'items';
  ctx.oidc.urlFor = () => `${here}${ctx.path}`;
  const refuse = (error, description) => {
    ctx.status = 401;
    ctx.set('WWW-Authenticate', `DPoP error="${error}", error_description="${description}", algs="ES256"`);
  };
  let value;
  let proof;
  try {
    value = ctx.oidc.getAccessToken({ acceptDPoP: true });
    proof = await validateProof(ctx, value);
  } catch (error) {
    return refuse(error.error, error.error_description);
  }
  const token = await provider.ClientCredentials.find(value) ?? await provider.AccessToken.find(value);
  if (!proof) return refuse('invalid_dpop_proof', 'proof of possession is required');
  const start = Number(ctx.query.start ?? 0);
  if (start === expireAt) {
    expireAt = undefined;
    expired.add(value);
  }
  if (!token || expired.has(value)) return refuse('invalid_token', 'it is not known, or has expired');
  if (token.jkt !== proof.thumbprint) return refuse('invalid_token', 'it is bound to another key');
  if (!await provider.ReplayDetection.unique(token.clientId, proof.jti, proof.iat + 300)) {
    return refuse('invalid_dpop_proof', 'it was used before');
  }
  if (!token.scopes.has(SCOPE)) {
    ctx.status = 403;
    ctx.set('WWW-Authenticate', `DPoP error="insufficient_scope", scope="${SCOPE}"`);
    return undefined;
  }
  const of = subjects.get(value) ?? token.accountId ?? token.clientId;
  const end = Math.min(start + SIZE, COUNT);
  ctx.body = {
    items: Array.from({ length: end - start }, (_, number) => ({ id: start + number, of })),
    next: end < COUNT ? `${here}/items?start=${end}` : null,
  };
  return undefined;
}

provider.use(async (ctx, next) => {
  switch (ctx.path) {
    case '/items':
      return page(ctx);
    case '/control/expire':
      expireAt = Number(ctx.query.at);
      ctx.body = { at: expireAt };
      return undefined;
    case '/control/issued':
      ctx.body = issued;
      return undefined;
    case '/control/refresh-token':
      ctx.body = { refresh_token: await refreshTokenOf(ctx.query.client) };
      return undefined;
    default:
      return next();
  }
});

provider.listen(Number(port), '127.0.0.1');
