// Single sign-on: set up by SAML or OIDC, tried out, confirmed, required, taken back.

import { call } from "../api.js";
import { agree, ask } from "../dialog.js";
import { h } from "../dom.js";
import { form } from "../form.js";
import { area, badge, button, card, copyable, empty, facts, muted, row, when } from "../parts.js";
import { say } from "../notes.js";
import { planName, session } from "../session.js";

const SECURITY = { needs: "security.manage" };
const REDIRECT = "https://app.harbor.example/sso/oidc/callback";

const because = () => (session.plan.identity_providers ? ""
  : `Not in the ${planName()} plan; it comes with Growth.`);

const SAML = (now) => [
  { name: "idp_entity_id", label: "Entity id of the provider", required: true,
    value: now.idp_entity_id },
  { name: "idp_sso_url", label: "Sign-in address", type: "url", required: true,
    placeholder: "https://…", value: now.idp_sso_url },
  { name: "certificate", label: "Signing certificate (PEM)", type: "textarea", required: true,
    wide: true, value: now.certificate, placeholder: "-----BEGIN CERTIFICATE-----" },
];
const OIDC = (now) => [
  { name: "issuer", label: "Issuer", type: "url", required: true, value: now.issuer,
    placeholder: "https://accounts.google.com" },
  { name: "client_id", label: "Client id", required: true, value: now.client_id },
  { name: "client_secret", label: "Client secret", type: "password", required: true, minlength: 8 },
];

const saved = async (again) => {
  say("Saved. Test it, then confirm within ten minutes; else it goes back by itself.", "warn");
  await again();
};

function saml(now, again) {
  return h("details", { open: now.kind === "saml" }, h("summary", {}, "Set up SAML 2.0"),
    form(SAML(now), async (body) => {
      await call("PUT", "/v1/sso/saml", { body });
      await saved(again);
    }, { ...SECURITY, because: because(), submit: "Save SAML", clear: false }));
}

function oidc(now, again) {
  return h("details", { open: now.kind === "oidc" }, h("summary", {}, "Set up OIDC"),
    h("p", { class: "row" }, "Redirect address for the provider:", copyable(REDIRECT)),
    form(OIDC(now), async (body) => {
      await call("PUT", "/v1/sso/oidc", { body });
      await saved(again);
    }, { ...SECURITY, because: because(), submit: "Save OIDC", clear: false }));
}

async function test(again) {
  const { kind } = await call("POST", "/v1/sso/test");
  say(`The test sign-in with ${kind.toUpperCase()} worked.`);
  await again();
}

async function confirm(again) {
  await call("POST", "/v1/sso/confirm");
  say("The configuration stays.");
  await again();
}

async function restore(again) {
  const text = "The configuration before the last change holds again, at once.";
  if (!(await ask("Go back?", text, "Go back"))) return;
  await call("POST", "/v1/sso/restore");
  say("The earlier configuration holds.");
  await again();
}

async function require(now, again) {
  const text = now.required ? "Members can sign in with a password again."
    : "Everybody but the owner signs in through the provider only.";
  const title = now.required ? "No longer require single sign-on?" : "Require single sign-on?";
  if (!(await agree(title, text, now.required ? "No longer require" : "Require"))) return;
  await call("PUT", "/v1/sso/required", { body: { required: !now.required } });
  say("Saved.");
  await again();
}

function state(now, again) {
  if (now.kind === "none") {
    return empty("Not set up", "Verify a domain, then enter what your provider tells you.");
  }
  const untested = now.tested ? "" : "Test the sign-in first.";
  return [facts([["Kind", now.kind.toUpperCase()], ["Provider", now.idp_entity_id ?? now.issuer],
    ["Certificate ends", now.certificate_expires && when(now.certificate_expires)],
    ["Tested", badge(now.tested ? "done" : "open")],
    ["Required", badge(now.required ? "yes" : "no")]]),
  now.unconfirmed_until && h("p", { class: "banner" }, "Goes back by itself at ",
    when(now.unconfirmed_until), " unless you confirm it."),
  row(button("Test", () => test(again), { ...SECURITY, kind: now.tested ? "plain" : "primary" }),
    now.unconfirmed_until && button("Confirm", () => confirm(again),
      { ...SECURITY, kind: now.tested ? "primary" : "plain" }),
    button(now.required ? "No longer require" : "Require for all", () => require(now, again),
      { ...SECURITY, because: now.required ? "" : untested }),
    button("Restore the earlier one", () => restore(again), { ...SECURITY, kind: "danger" }))];
}

export function sso(again) {
  const place = area(() => call("GET", "/v1/sso"), (now) =>
    [state(now, again), saml(now, again), oidc(now, again)], "Loading");
  const node = card("Single sign-on", muted("The owner can always sign in with password and MFA."),
    place);
  node.reload = place.reload;
  return node;
}
