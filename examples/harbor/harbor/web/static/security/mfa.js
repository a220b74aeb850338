// The second factor: one's own, and whether everybody needs one.

import { call } from "../api.js";
import { agree, ask, show } from "../dialog.js";
import { fill, h } from "../dom.js";
import { form, input } from "../form.js";
import { area, badge, button, card, copyable, muted, row } from "../parts.js";
import { say } from "../notes.js";
import { loadMe, session } from "../session.js";

const CODE = { name: "code", label: "Code of the app", required: true, pattern: "\\d{6}",
  placeholder: "123456", autocomplete: "one-time-code", hint: "Six digits." };
const NOW = { ...CODE, pattern: null, hint: "Of the app as it is now, or a recovery code." };

async function codes(list) {
  const text = list.join("\n");
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  await show("Your recovery codes", h("p", {}, "Each works once, where your phone does not. Keep " +
    "them in a safe place; they are not shown again."),
  h("ul", { class: "codes" }, list.map((each) => h("li", {}, h("code", {}, each)))),
  row(h("a", { class: "button small", href: url, download: "harbor-recovery-codes.txt" }, "Download")));
  URL.revokeObjectURL(url);
}

function confirm(found, done) {
  return h("div", {}, h("ol", { class: "numbered" },
    h("li", {}, "Add this secret to an authenticator app: ", copyable(found.secret)),
    h("li", {}, h("a", { href: found.uri }, "Open it in an app on this device"),
      ", or enter the secret by hand: time-based, six digits."),
    h("li", {}, "Enter the code that the app shows.")),
  form([CODE], async ({ code }) => {
    const made = await call("POST", "/v1/me/mfa/confirm", { body: { code } });
    await codes(made.recovery_codes);
    await loadMe();
    say("Your second factor is on.");
    await done();
  }, { submit: "Confirm" }));
}

export function ownMfa(redraw) {
  const on = session.me.mfa;
  const place = h("div", {});
  const start = async (node) => {
    const text = "A new secret replaces the one in your app, and new recovery codes void the old.";
    const field = on && input(NOW);
    if (on && !(await ask("Set up anew?", text, "Set up anew", field))) return;
    const body = on ? { code: field.querySelector("input").value } : undefined;
    fill(place, confirm(await call("POST", "/v1/me/mfa", { body }), redraw));
    node.remove();
    place.querySelector("input")?.focus();
  };
  return card("Your second factor", row(badge(on ? "on" : "off"), muted(on
    ? "An authenticator app is set up." : "Your account has a password only.")), place,
  row(button(on ? "Set up anew" : "Turn on", start, { kind: on ? "plain" : "primary" })));
}

export function requirement(again) {
  const place = area(() => call("GET", "/v1/mfa"), (now) => form([
    { name: "required", label: "Everybody needs a second factor", type: "checkbox",
      value: now.required },
    { name: "grace_days", label: "Days of grace", type: "number", min: 0, max: 30,
      value: now.grace_days, required: true },
    { name: "trusted_devices", label: "Browsers may be trusted for 30 days", type: "checkbox",
      value: now.trusted_devices },
  ], async (body) => {
    const text = `After ${body.grace_days} days whoever has none can only set one up.`;
    if (body.required && !(await agree("Require MFA for all?", text, "Require"))) return;
    await call("PUT", "/v1/mfa", { body });
    say("Saved.");
    await again();
  }, { needs: "security.manage", feature: "require_mfa", kind: "plain", clear: false }), "Loading");
  const node = card("MFA for everybody", place);
  node.reload = place.reload;
  return node;
}
