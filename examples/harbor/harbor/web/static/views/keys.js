// API keys, and below them the outbound webhooks. A key is shown once, when it is made.

import { all, call } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { form } from "../form.js";
import { once, webhooks } from "../webhooks.js";
import { area, badge, button, card, empty, muted, row, table, when } from "../parts.js";
import { say } from "../notes.js";
import { planName, session } from "../session.js";

const KEYS = { needs: "api_keys.manage" };
const SCOPES = ["events:write", "data:read", "dashboards:read", "dashboards:write",
  "connections:write", "imports:write", "members:read", "members:write", "alerts:write",
  "audit:read", "billing:read"];

async function rotate(key, again) {
  const text = "You get a new key; the old one works for 24 hours more.";
  if (!(await ask(`Rotate ${key.name}?`, text, "Rotate"))) return;
  const made = await call("POST", "/v1/api-keys/{key_id}/rotate", { path: { key_id: key.id } });
  await once(`${key.name}: the new key`, made.key);
  await again();
}

async function revoke(key, again) {
  const text = "Programs that use it are refused within 60 seconds.";
  if (!(await ask(`Revoke ${key.name}?`, text, "Revoke"))) return;
  await call("DELETE", "/v1/api-keys/{key_id}", { path: { key_id: key.id } });
  say(`${key.name} is revoked.`);
  await again();
}

function keyList(keys, again) {
  if (keys.length === 0) return empty("No key yet", "Make one for a program of yours, below.");
  return table(["Name", "Ends in", "Scopes", "Expires", ""], keys.map((key) => [
    h("strong", {}, key.name), h("code", {}, `…${key.last4}`),
    key.scopes.map((scope) => [badge(scope), " "]), when(key.expires_at),
    row(button("Rotate", () => rotate(key, again), { ...KEYS, small: true, label: `Rotate ${key.name}` }),
      button("Revoke", () => revoke(key, again),
        { ...KEYS, small: true, kind: "danger", label: `Revoke ${key.name}` }))]));
}

function keys() {
  const place = area(() => all("/v1/api-keys"), keyList, "Loading the keys");
  const fields = [
    { name: "name", label: "Name", required: true, placeholder: "Nightly export" },
    { name: "expires_in_days", label: "Ends after (days)", type: "number", min: 1, max: 365,
      value: 90 },
    { name: "scopes", label: "Scopes", choices: SCOPES, value: ["data:read"] },
  ];
  return card("API keys", muted(`A key belongs to the workspace. The ${planName()} plan has ` +
    `${session.plan.api_keys}.`), place, form(fields, async (body, key) => {
    const made = await call("POST", "/v1/api-keys", { body, key });
    await place.reload();
    await once(`${made.name}: the key`, made.key);
  }, { ...KEYS, submit: "Make a key" }));
}

export async function view() {
  return h("div", {}, h("h1", { tabindex: -1 }, "Keys and webhooks"), keys(), webhooks());
}
