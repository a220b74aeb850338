// The workspace itself: name, release channel, who may invite; export and deletion of data.

import { call } from "../api.js";
import { ask } from "../dialog.js";
import { fill, h } from "../dom.js";
import { form } from "../form.js";
import { button, card, copyable, count, facts, muted, row, when } from "../parts.js";
import { say } from "../notes.js";
import { loadMe, session } from "../session.js";

const CHANNELS = [["standard", "Standard: new versions on release day"],
  ["extended", "Extended: up to 20 weeks later"]];

async function save(body, redraw) {
  await call("PATCH", "/v1/workspace", { body });
  await loadMe();
  say("Saved.");
  await redraw();
}

function naming(redraw) {
  const field = { name: "name", label: "Name", value: session.workspace.name, required: true };
  return card("Workspace", facts([["Version", session.workspace.version],
    ["Time zone", session.workspace.timezone], ["Currency", session.workspace.currency],
    ["Id", h("code", {}, session.workspace.id)]]),
  h("br"), form([field], (body) => save(body, redraw),
    { needs: "workspace.manage", submit: "Rename", kind: "plain", clear: false }));
}

function rules(redraw) {
  const now = session.workspace;
  const fields = [
    { name: "release_channel", label: "Release channel", options: CHANNELS,
      value: now.release_channel, wide: true,
      hint: "Extended comes with Growth and Enterprise. Going back to standard moves at once." },
    { name: "editors_can_invite", label: "Editors may invite viewers", type: "checkbox",
      value: now.editors_can_invite },
  ];
  return card("Rules", form(fields, (body) => save(body, redraw),
    { needs: "security.manage", kind: "plain", clear: false }));
}

function exporting() {
  const said = h("div", { "aria-live": "polite" });
  return card("Export", muted("All data of the workspace; the link is valid for 7 days."),
    row(button("Export the data", async () => {
      const made = await call("POST", "/v1/privacy/exports");
      fill(said, h("p", {}, copyable(made.url), " until ", when(made.expires_at)));
    }, { needs: "data.export" })), said);
}

function deletion() {
  const fields = [{ name: "users", label: "Ids of users", type: "textarea", required: true,
    wide: true, hint: "One a line, at most 1,000. These are people who use your product." }];
  return card("Delete people's data", form(fields, async ({ users }, key) => {
    const list = users.split(/[\s,;]+/).filter(Boolean);
    const text = `All events of ${count(list.length)} people go. This cannot be taken back.`;
    if (!(await ask("Delete these data?", text, "Delete the data"))) return;
    const made = await call("POST", "/v1/privacy/deletions", { body: { user_ids: list }, key });
    say(`${count(made.events_deleted)} events of ${count(made.users)} people are deleted.`);
  }, { needs: "data.delete", kind: "danger", submit: "Delete …", clear: false }));
}

export async function view({ redraw }) {
  session.workspace = await call("GET", "/v1/workspace");
  return h("div", {}, h("h1", { tabindex: -1 }, "Settings"),
    h("div", { class: "columns" }, h("div", {}, naming(redraw), exporting()),
      h("div", {}, rules(redraw), deletion())));
}
