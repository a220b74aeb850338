// What is set up, and what is still open.

import { call } from "../api.js";
import { h } from "../dom.js";
import { area, badge, card, muted } from "../parts.js";

const NAMES = { domain: "Verified domain", sso: "Single sign-on", sso_required: "Sign-on for all",
  scim: "SCIM", mfa: "MFA for all" };

export function progress() {
  const place = area(() => call("GET", "/v1/security"), (found) => [
    h("ul", { class: "row" }, Object.entries(found.done).map(([name, done]) =>
      h("li", { class: "row" }, badge(done ? "done" : "open"), NAMES[name] ?? name))),
    muted(`${found.enrolled} of ${found.members} members have a second factor.`)], "Looking");
  const node = card("At a glance", place);
  node.reload = place.reload;
  return node;
}
