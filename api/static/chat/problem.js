// What the server says when something cannot be done.

const SIGN_IN = new Set(["auth_expired", "sign_in_required", "stale_sign_in"]);

export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? "The server did not answer as expected.");
    this.status = status;
    this.code = body?.code ?? "unknown";
    this.retryAfter = retryAfter;
  }

  get needsSignIn() {
    return SIGN_IN.has(this.code);
  }
}

export async function problem(response) {
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json() : null;
  return new Problem(response.status, body, Number(response.headers.get("retry-after")) || 0);
}
