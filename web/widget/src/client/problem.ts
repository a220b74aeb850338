/** What the server says when something cannot be done (RFC 9457). `status` is 0 without an answer. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfterS = 0,
  ) {
    super(detail);
  }

  /** Whether the same may go well later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const LOST = "connection_lost";

export function lost(): Problem {
  return new Problem(0, LOST, "");
}

export async function problemOf(response: Response): Promise<Problem> {
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  const body: unknown = isJson ? await response.json().catch(() => null) : null;
  const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown };
  return new Problem(
    response.status,
    typeof code === "string" ? code : "unknown",
    typeof detail === "string" ? detail : "",
    Number(response.headers.get("retry-after")) || 0,
  );
}
