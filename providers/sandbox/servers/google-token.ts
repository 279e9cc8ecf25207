import { createHash, createVerify, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { isRecord } from './answer.ts';

const clientEmail = 'weir@sim-project.iam.gserviceaccount.com';
const tokenAudience = 'https://oauth2.googleapis.com/token';
const jwtGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** A service-account key file, as Google's console gives it out. */
export interface ServiceAccountKey {
  type: 'service_account';
  project_id: string;
  private_key_id: string;
  private_key: string;
  client_email: string;
  token_uri: string;
}

export interface TokenAnswer {
  status: number;
  body: object;
}

/** A token endpoint: checks the form and signature of JWTs, issues tokens that end, and knows which are good. */
export class TokenService {
  /** Seconds that a new token is good for. */
  lifetimeSeconds = 3599;
  issued = 0;
  /** Made when it is first asked for: that takes a moment. */
  #keys: KeyPair | null = null;
  readonly #expiresAtByToken = new Map<string, number>();

  /** A key file that this service accepts. */
  key(tokenUri: string): ServiceAccountKey {
    const { privateKey, keyId } = this.#keyPair();
    return {
      type: 'service_account',
      project_id: 'sim-project',
      private_key_id: keyId,
      private_key: privateKey,
      client_email: clientEmail,
      token_uri: tokenUri,
    };
  }

  /** Answers `POST /token` (JWT bearer) and `/sts/v1/token` (token exchange). */
  exchange(form: string): TokenAnswer {
    const fields = new URLSearchParams(form);
    const grant = fields.get('grant_type');
    if (grant === exchangeGrant && fields.get('subject_token') !== null) {
      return this.issue({ issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    }
    if (grant !== jwtGrant) return refuse('unsupported_grant_type', `Invalid grant_type: ${grant}`);
    const problem = this.#problemOf(fields.get('assertion') ?? '');
    return problem === null ? this.issue() : refuse('invalid_grant', problem);
  }

  /** A new token; the metadata server gives them out without a proof. */
  issue(extra: object = {}): TokenAnswer {
    const token = `ya29.sim-${randomBytes(24).toString('hex')}`;
    this.issued += 1;
    this.#expiresAtByToken.set(token, Date.now() + this.lifetimeSeconds * 1000);
    const body = { access_token: token, expires_in: this.lifetimeSeconds, token_type: 'Bearer', ...extra };
    return { status: 200, body };
  }

  /** True when a request's Authorization header holds a token that is good now. */
  accepts(authorization: string | undefined): boolean {
    const expiresAt = this.#expiresAtByToken.get(authorization?.replace(/^Bearer /, '') ?? '');
    return expiresAt !== undefined && Date.now() < expiresAt;
  }

  /** Every token given out so far is refused from now on. */
  revokeAll(): void {
    this.#expiresAtByToken.clear();
  }

  #keyPair(): KeyPair {
    this.#keys ??= makeKeys();
    return this.#keys;
  }

  #problemOf(assertion: string): string | null {
    const [header = '', claims = '', signature = '', ...rest] = assertion.split('.');
    if (rest.length > 0 || signature === '') return 'Invalid JWT: it must have three parts.';
    const verify = createVerify('RSA-SHA256').update(`${header}.${claims}`);
    if (!verify.verify(this.#keyPair().publicKey, signature, 'base64url')) return 'Invalid JWT Signature.';
    const { alg, typ } = decode(header);
    // The library leaves `typ` out, and Google takes it so.
    if (alg !== 'RS256' || (typ ?? 'JWT') !== 'JWT') return 'Invalid JWT: alg must be RS256.';
    const { iss, aud, iat, exp, scope } = decode(claims);
    if (iss !== clientEmail) return 'Invalid grant: account not found';
    if (aud !== tokenAudience) return 'Invalid JWT: Failed audience check.';
    if (typeof scope !== 'string' || !scope.includes('/auth/cloud-platform')) return 'Invalid OAuth scope.';
    const now = Date.now() / 1000;
    const isTimely =
      typeof iat === 'number' && typeof exp === 'number' && iat <= now + 60 && exp > now && exp - iat <= 3600;
    return isTimely
      ? null
      : 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.';
  }
}

interface KeyPair {
  publicKey: KeyObject;
  privateKey: string;
  keyId: string;
}

function makeKeys(): KeyPair {
  const { publicKey, privateKey: secret } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKey = secret.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { publicKey, privateKey, keyId: createHash('sha256').update(privateKey).digest('hex').slice(0, 40) };
}

function refuse(error: string, description: string): TokenAnswer {
  return { status: 400, body: { error, error_description: description } };
}

function decode(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
