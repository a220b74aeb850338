// Outbound webhooks: made, their deliveries, sent again by hand, switched on again.

import { all, call } from "./api.js";
import { ask, show } from "./dialog.js";
import { fill, h } from "./dom.js";
import { form } from "./form.js";
import { area, badge, button, card, copyable, empty, muted, row, table, when } from "./parts.js";
import { say } from "./notes.js";

const KEYS = { needs: "api_keys.manage" };
const SMALL = { ...KEYS, small: true };
const EVENTS = ["import.completed", "import.failed", "connection.failing", "alert.fired",
  "alert.resolved", "member.joined", "invite.expired"];

export const once = (title, secret) => show(title, h("p", {}, "Copy it now. It is not shown again."),
  copyable(secret));

async function redeliver(hook, each, again) {
  const path = { webhook_id: hook.id, delivery_id: each.id };
  await call("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", { path });
  say("It is sent again under the same id.");
  await again();
}

const sent = (hook, items, again) => (items.length === 0
  ? empty("No delivery yet", "They are listed for 14 days.")
  : table(["When", "Type", "State", "Tries", "Answer", "Next try", ""], items.map((each) => [
    when(each.created_at), h("code", {}, each.type), badge(each.state), each.tries,
    each.result ?? "–", when(each.next_try_at),
    button("Send again", () => redeliver(hook, each, again),
      { ...SMALL, label: `Send ${each.id} again` })])));

function deliveries(hook) {
  const path = { webhook_id: hook.id };
  const load = () => all("/v1/webhooks/{webhook_id}/deliveries", { path }, 200);
  const place = h("div", {});
  const list = () => fill(place, area(load, (items, again) => [sent(hook, items, again),
    row(button("Refresh", again, { small: true }))], "Loading the deliveries"));
  return h("details", { on: { toggle: (event) => event.target.open && list() } },
    h("summary", {}, "Deliveries to ", h("code", {}, hook.url)), place);
}

async function enable(hook, again) {
  await call("POST", "/v1/webhooks/{webhook_id}/enable", { path: { webhook_id: hook.id } });
  say("A test delivery arrived; the webhook is on again.");
  await again();
}

async function drop(hook, again) {
  if (!(await ask("Delete this webhook?", `${hook.url} gets no more deliveries.`, "Delete"))) return;
  await call("DELETE", "/v1/webhooks/{webhook_id}", { path: { webhook_id: hook.id } });
  say("The webhook is deleted.");
  await again();
}

function hookList(hooks, again) {
  if (hooks.length === 0) return empty("No webhook yet", "Add one to hear of imports and alerts.");
  return [table(["Address", "Events", "State", "Made", ""], hooks.map((hook) => [
    h("code", {}, hook.url), hook.events.map((event) => [badge(event), " "]), badge(hook.state),
    when(hook.created_at), row(
      hook.state === "off" && button("Switch on", () => enable(hook, again),
        { ...SMALL, label: `Switch ${hook.url} on` }),
      button("Delete", () => drop(hook, again),
        { ...SMALL, kind: "danger", label: `Delete ${hook.url}` }))])), hooks.map(deliveries)];
}

export function webhooks() {
  const place = area(() => all("/v1/webhooks"), hookList, "Loading the webhooks");
  const fields = [
    { name: "url", label: "Address", type: "url", required: true, wide: true,
      placeholder: "https://hooks.example.com/harbor", hint: "HTTPS only." },
    { name: "events", label: "Events", choices: EVENTS, value: ["import.failed"] },
  ];
  return card("Outbound webhooks", muted("Deliveries are signed; repeated for 24 hours."), place,
    form(fields, async (body, key) => {
      const made = await call("POST", "/v1/webhooks", { body, key });
      await place.reload();
      await once("The signing secret", made.signing_secret);
    }, { ...KEYS, submit: "Add a webhook" }));
}
