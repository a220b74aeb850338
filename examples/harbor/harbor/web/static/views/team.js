// Members and their roles, and everything that brings a new one.

import { all, call } from "../api.js";
import { agree, ask } from "../dialog.js";
import { h } from "../dom.js";
import { invites } from "../invites.js";
import { area, badge, button, card, muted, row, table, when } from "../parts.js";
import { say } from "../notes.js";
import { reason, session } from "../session.js";

const MANAGE = { needs: "members.manage" };
const ROLES = ["admin", "editor", "viewer", "billing"];

// The version that was read goes along, so that two admins do not overwrite each other.
const read = (member) => call("GET", "/v1/members/{member_id}", { path: { member_id: member.id } });

async function changeRole(member, role, again) {
  const text = role === "admin" ? "Admins manage members, connections and security."
    : `${member.name} will be ${role} from now on.`;
  await read(member);
  if (await agree(`Make ${member.name} ${role}?`, text, "Change the role")) {
    await call("PATCH", "/v1/members/{member_id}", { path: { member_id: member.id }, body: { role } });
    say(`${member.name} is ${role} now.`);
  }
  await again();
}

function roleSelect(member, again) {
  if (member.role === "owner") return badge("owner");
  const why = reason(MANAGE);
  const select = h("select", { "aria-label": `Role of ${member.name}`, disabled: Boolean(why),
    title: why }, ROLES.map((role) => h("option", { value: role, selected: role === member.role,
    disabled: role === "billing" && session.me.role !== "owner" }, role)));
  select.addEventListener("change", async () => {
    try {
      await changeRole(member, select.value, again);
    } catch (problem) {
      select.value = member.role;
      say(`${problem.message} ${problem.mend ?? ""}`, "bad");
    }
  });
  return select;
}

async function remove(member, again) {
  await read(member);
  const text = "All sessions end at once. What this person made stays.";
  if (!(await ask(`Remove ${member.name}?`, text, "Remove"))) return;
  await call("DELETE", "/v1/members/{member_id}", { path: { member_id: member.id } });
  say(`${member.name} is removed.`);
  await again();
}

async function resetMfa(member, again) {
  const text = "All sessions end; a new second factor is set up at the next sign-in.";
  if (!(await ask(`Reset the second factor of ${member.name}?`, text, "Reset"))) return;
  await call("POST", "/v1/members/{member_id}/mfa/reset", { path: { member_id: member.id } });
  say("The second factor is reset.");
  await again();
}

function actions(member, again) {
  const mine = member.id === session.me.id;
  const because = member.role === "owner" ? "The owner changes by a transfer of ownership only." : "";
  return row(
    member.mfa && !mine && button("Reset MFA", () => resetMfa(member, again),
      { needs: "security.manage", small: true, label: `Reset MFA of ${member.name}` }),
    !mine && button("Remove", () => remove(member, again),
      { ...MANAGE, because, small: true, kind: "danger", label: `Remove ${member.name}` }),
    mine && badge("you"));
}

const list = (members, again) => table(["Name", "Role", "MFA", "Joined", ""],
  members.map((each) => [
    h("div", {}, h("strong", {}, each.name), h("br"), h("small", {}, each.email)),
    roleSelect(each, again), each.mfa ? badge("on") : badge("off"), when(each.created_at),
    actions(each, again)]));

export async function view({ left }) {
  const place = area(() => all("/v1/members"), list, "Loading the team");
  return h("div", {}, h("h1", { tabindex: -1 }, "Team"),
    card("Members", muted("Owner, admin and editor take a paid seat. Viewer and billing do not on " +
      "paid plans."), place),
    invites({ left }));
}
