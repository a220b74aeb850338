// Security: one's own second factor for everybody; domains, sign-on and SCIM for admins.

import { h } from "../dom.js";
import { card, empty } from "../parts.js";
import { domains } from "../security/domains.js";
import { ownMfa, requirement } from "../security/mfa.js";
import { scim } from "../security/scim.js";
import { sso } from "../security/sso.js";
import { progress } from "../security/progress.js";
import { may, reason } from "../session.js";

// Sign-on and the MFA requirement are one object with one version: both are read again together.
function forAdmins() {
  const parts = [];
  const again = () => Promise.all(parts.map((part) => part.reload()));
  parts.push(progress(), sso(again), requirement(again));
  const [state, signOn, require] = parts;
  return { state, rest: [domains(again), signOn, require, scim(again)] };
}

export async function view({ redraw }) {
  const title = h("h1", { tabindex: -1 }, "Security");
  if (!may("security.manage")) {
    return h("div", {}, title, ownMfa(redraw),
      card("Workspace", empty("Owners and admins see to the rest", reason({ needs: "security.manage" }))));
  }
  const { state, rest } = forAdmins();
  return h("div", {}, title, state, ownMfa(redraw), rest);
}
