// Who is signed in: a token from the address bar, kept in memory and nowhere else.

import { Problem, problem } from "./problem.js";

let token = null;

/** Take `#token=...` out of the address and keep it; returns what else the fragment names. */
export function signIn() {
  const fragment = location.hash.slice(1);
  if (!fragment.startsWith("token=") && !fragment.includes("&token=")) return fragment;
  const given = new URLSearchParams(fragment);
  token = given.get("token") || null;
  const thread = given.get("thread") ?? "";
  history.replaceState(null, "", location.pathname + (thread ? `#${thread}` : ""));
  return thread;
}

export function signedIn() {
  return token !== null;
}

export function headers(more = {}) {
  return token === null ? more : { ...more, authorization: `Bearer ${token}` };
}

/** JSON of an address of ours. Throws Problem. */
export async function ask(path, body) {
  const sent = body === undefined
    ? { headers: headers() }
    : {
        method: "POST",
        headers: headers({ "content-type": "application/json", "idempotency-key": crypto.randomUUID() }),
        body: JSON.stringify(body),
      };
  let response;
  try {
    response = await fetch(path, sent);
  } catch (error) {
    if (error instanceof TypeError) throw new Problem(0, { detail: "The connection was lost." });
    throw error;
  }
  if (!response.ok) throw await problem(response);
  return response.json();
}
