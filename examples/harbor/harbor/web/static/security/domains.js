// Domains: the TXT record to publish, and looking for it.

import { all, call, publishRecord } from "../api.js";
import { ask } from "../dialog.js";
import { h } from "../dom.js";
import { form } from "../form.js";
import { area, badge, button, card, copyable, empty, muted, row } from "../parts.js";
import { say } from "../notes.js";
import { session } from "../session.js";

const SECURITY = { needs: "security.manage" };
const SMALL = { ...SECURITY, small: true };

async function verify(domain, again) {
  await call("POST", "/v1/domains/{domain_id}/verify", { path: { domain_id: domain.id } });
  say(`${domain.domain} is verified.`);
  await again();
}

async function remove(domain, again) {
  const text = "Members of this domain no longer join by themselves; sign-on needs a verified one.";
  if (!(await ask(`Remove ${domain.domain}?`, text, "Remove"))) return;
  await call("DELETE", "/v1/domains/{domain_id}", { path: { domain_id: domain.id } });
  say(`${domain.domain} is removed.`);
  await again();
}

async function publish(domain) {
  await publishRecord(domain.domain, domain.record);
  say("The record is in the sandbox's DNS. Verify now.");
}

function one(domain, again) {
  const open = domain.state !== "verified";
  return h("article", { class: "import" }, row(h("strong", {}, domain.domain), badge(domain.state),
    h("span", { class: "grow" }),
    open && button("Verify", () => verify(domain, again),
      { ...SMALL, kind: "primary", label: `Verify ${domain.domain}` }),
    open && session.config.sandbox && button("Publish in the sandbox", () => publish(domain), SMALL),
    button("Remove", () => remove(domain, again),
      { ...SMALL, kind: "danger", label: `Remove ${domain.domain}` })),
  open && h("div", {}, muted(`Publish this ${domain.type} record at the root of the domain, ` +
    "wait a few minutes, then verify."), copyable(domain.record)));
}

export function domains(changed) {
  const again = async () => {
    await place.reload();
    await changed();
  };
  const place = area(() => all("/v1/domains"), (items) => (items.length === 0
    ? empty("No domain yet", "Single sign-on and automatic joining need a verified one.")
    : items.map((each) => one(each, again))), "Loading the domains");
  const field = { name: "domain", label: "Domain", required: true, placeholder: "example.com",
    pattern: "([a-z0-9\\-]{1,63}\\.)+[a-z]{2,63}" };
  return card("Domains", form([field], async (body, key) => {
    await call("POST", "/v1/domains", { body, key });
    await again();
  }, { ...SECURITY, submit: "Add" }), place);
}
