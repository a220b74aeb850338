import { lost, Problem, problemOf } from "./problem";

export type GetToken = () => string | Promise<string>;

const CONNECT_MS = 5_000;
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const JSON_TYPE = "application/json";

export interface Request {
  method?: string;
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  patienceMs?: number; // until headers come
  keepalive?: boolean; // it goes on when the page goes
}

/**
 * HTTP with the credential of whoever uses the product, which is in memory alone. A token of the
 * host's backend is exchanged for it once, and asked for anew when the server does not take it.
 */
export class Client {
  locale = "en"; // what the server writes in
  #credential: Promise<string | null> | null = null;
  readonly #ended = new AbortController();

  constructor(
    readonly base: string,
    private readonly getToken: GetToken | null,
  ) {}

  /** Whether somebody is signed in; without it there are answers only. */
  get signedIn(): boolean {
    return this.getToken !== null;
  }

  /** Throws Problem. */
  async json<T>(path: string, request: Request = {}): Promise<T> {
    const response = await this.open(path, request);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  /** An answer whose status is a success, its body unread. Throws Problem. */
  async open(path: string, request: Request = {}): Promise<Response> {
    let response = await this.send(path, request);
    if (response.status === 401 && this.signedIn) {
      this.#credential = null;
      response = await this.send(path, request);
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  /** What is under way ends, and the credential is no longer good. */
  async close(): Promise<void> {
    const credential = this.#credential;
    this.#credential = null;
    this.#ended.abort();
    const known = credential ? await credential.catch(() => null) : null;
    if (known === null) return;
    const headers = { authorization: `Bearer ${known}` };
    const address = `${this.base}/v1/sessions/current`;
    await fetch(address, { method: "DELETE", headers, keepalive: true }).catch(() => undefined);
  }

  private async send(path: string, request: Request): Promise<Response> {
    const credential = await this.credential();
    const headers: Record<string, string> = {
      accept: request.accept ?? JSON_TYPE,
      "accept-language": this.locale,
      ...request.headers,
    };
    if (credential !== null) headers.authorization = `Bearer ${credential}`;
    const init: RequestInit = { method: request.method ?? "GET", headers, keepalive: request.keepalive ?? false };
    if (request.body !== undefined) {
      headers["content-type"] = JSON_TYPE;
      headers["idempotency-key"] ??= crypto.randomUUID();
      init.method = request.method ?? "POST";
      init.body = JSON.stringify(request.body);
    }
    return this.within(path, init, request);
  }

  private credential(): Promise<string | null> {
    if (this.getToken === null) return Promise.resolve(null);
    this.#credential ??= this.exchange(this.getToken).catch((error: unknown) => {
      this.#credential = null;
      throw error;
    });
    return this.#credential;
  }

  /** A server without widget tokens asks the host who a token stands for: it goes as it is. */
  private async exchange(getToken: GetToken): Promise<string> {
    const token = await getToken();
    if (!JWT.test(token)) return token;
    const headers = { "content-type": JSON_TYPE, authorization: `Bearer ${token}` };
    const response = await this.within("/v1/sessions", { method: "POST", headers });
    if (response.status === 404) return token;
    if (!response.ok) throw await problemOf(response);
    return ((await response.json()) as { credential: string }).credential;
  }

  /** Headers come in time, or the connection counts as lost. */
  private async within(path: string, init: RequestInit, request: Request = {}): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), request.patienceMs ?? CONNECT_MS);
    const ends = request.signal ? [request.signal, this.#ended.signal] : [this.#ended.signal];
    const signal = AbortSignal.any([late.signal, ...ends]);
    try {
      return await fetch(this.base + path, { ...init, signal, credentials: "omit" });
    } catch (error) {
      if (ends.some((one) => one.aborted)) throw error;
      throw lost();
    } finally {
      clearTimeout(timer);
    }
  }
}

export function isAbort(error: unknown): boolean {
  return !(error instanceof Problem) && error instanceof Error && error.name === "AbortError";
}
