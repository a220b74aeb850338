// The public API, from the page: the session's cookie, versions, idempotency keys, problems.

import { mend } from "./mend.js";

const etags = new Map();
let onSignedOut = () => {};
let onOverdue = () => {};

export function whenSignedOut(run) {
  onSignedOut = run;
}

// When nothing goes on without a second factor.
export function whenOverdue(run) {
  onOverdue = run;
}

export class ApiProblem extends Error {
  constructor(body, status, retryAfter) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.code = body.code ?? "internal";
    this.title = body.title ?? "";
    this.detail = body.detail ?? "";
    this.errors = body.errors ?? [];
    this.status = status;
    this.mend = mend(this.code, retryAfter);
  }

  // Whether the same request, sent again, may still be the first one.
  get unsure() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function address(path, given, query) {
  const filled = path.replace(/\{(\w+)\}/g, (_all, name) => encodeURIComponent(given[name]));
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(pairs).toString();
  return { filled, url: search ? `${filled}?${search}` : filled };
}

// The object that a path speaks of: /v1/connections/con_1/schedule -> /v1/connections/con_1.
function owner(path) {
  for (let at = path; at.split("/").length > 2; at = at.slice(0, at.lastIndexOf("/"))) {
    if (etags.has(at)) return at;
  }
  return path;
}

// What a POST to a list makes has a path of its own, which only a GET tells.
function keep(method, filled, etag) {
  if (method === "DELETE") etags.delete(filled);
  else if (etag && method === "GET") etags.set(filled, etag);
  else if (etag && etags.has(owner(filled))) etags.set(owner(filled), etag);
}

function request(method, filled, { body, form, key }) {
  const headers = { accept: "application/json" };
  const wanted = etags.get(owner(filled));
  if (wanted && ["PATCH", "PUT", "DELETE"].includes(method)) headers["if-match"] = wanted;
  if (method === "POST") headers["idempotency-key"] = key ?? newKey();
  if (body !== undefined) headers["content-type"] = "application/json";
  return {
    method,
    headers,
    body: form ?? (body === undefined ? undefined : JSON.stringify(body)),
    credentials: "same-origin",
    cache: "no-store",
  };
}

async function sent(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    const body = { code: "network", title: "no answer", detail: "Harbor did not answer." };
    throw new ApiProblem(body, 0);
  }
}

async function problem(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    body = { code: "internal", title: "no problem document", detail: `HTTP ${answer.status}` };
  }
  const found = new ApiProblem(body, answer.status, Number(answer.headers.get("retry-after")));
  if (found.code === "HBR-704" || (found.status === 401 && found.code === "unauthenticated")) {
    onSignedOut(found);
  }
  if (found.code === "HBR-613") onOverdue();
  return found;
}

// `given`: path (for the names in braces), query, body, form, key, text.
export async function call(method, path, given = {}) {
  const { filled, url } = address(path, given.path ?? {}, given.query);
  const answer = await sent(url, request(method, filled, given));
  if (!answer.ok) throw await problem(answer);
  keep(method, filled, answer.headers.get("etag"));
  if (given.text) return answer.text();
  return answer.status === 204 ? null : answer.json();
}

// Every page of a list, up to `most` items.
export async function all(path, given = {}, most = 1000) {
  const items = [];
  let cursor;
  do {
    const query = { limit: 200, ...given.query, cursor };
    const page = await call("GET", path, { ...given, query });
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && items.length < most);
  return items;
}

export const settings = async () => (await sent("/app/config.json", {})).json();

export async function signOut() {
  etags.clear();
  await sent("/app/sign-out", { method: "POST" });
}

// A TXT record in the sandbox's own DNS, which only the sandbox has.
export async function publishRecord(name, txt) {
  const body = JSON.stringify({ name, txt });
  const headers = { "content-type": "application/json" };
  const answer = await sent("/_sandbox/dns", { method: "PUT", headers, body });
  if (!answer.ok) throw await problem(answer);
}
