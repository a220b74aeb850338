// SCIM: tokens for the identity provider, shown once.

import { all, call } from "../api.js";
import { ask, show } from "../dialog.js";
import { h } from "../dom.js";
import { area, button, card, copyable, empty, muted, row, table, when } from "../parts.js";
import { say } from "../notes.js";

const SECURITY = { needs: "security.manage", feature: "scim" };
const BASE = "https://api.harbor.example/scim/v2";

async function revoke(token, again) {
  const text = "The provider can no longer create or deactivate members with it.";
  if (!(await ask("Revoke this token?", text, "Revoke"))) return;
  await call("DELETE", "/v1/scim-tokens/{token_id}", { path: { token_id: token.id } });
  say("The token is revoked.");
  await again();
}

export function scim(changed) {
  const again = async () => {
    await place.reload();
    await changed();
  };
  const place = area(() => all("/v1/scim-tokens"), (items) => (items.length === 0
    ? empty("No token yet", "Make one and enter it at Okta or Entra ID.")
    : table(["Token", "Made", "Expires", ""], items.map((each) => [h("code", {}, `…${each.last4}`),
      when(each.created_at), when(each.expires_at), button("Revoke", () => revoke(each, again),
        { ...SECURITY, small: true, kind: "danger", label: `Revoke …${each.last4}` })]))), "Loading");
  const make = async () => {
    const made = await call("POST", "/v1/scim-tokens");
    await again();
    await show("The SCIM token", h("p", {}, "Copy it now. It is not shown again."),
      copyable(made.token));
  };
  return card("SCIM", muted("Members come and go with your directory. Base address: ",
    h("code", {}, BASE)), place,
  row(button("Make a token", make, { ...SECURITY, kind: "primary" })));
}
