// All that is left to do where a second factor is required and the days of grace are over.

import { h } from "../dom.js";
import { mark } from "../frame.js";
import { button, muted, row } from "../parts.js";
import { ownMfa } from "../security/mfa.js";
import { session } from "../session.js";

export async function view({ signedIn, leave }) {
  return h("div", {}, h("p", { class: "brand" }, mark(), "Harbor"),
    h("h1", { tabindex: -1 }, "Set up a second factor"),
    muted(`${session.me.account.name} requires two-factor sign-in. ` +
      "Everything else opens again once yours is on."),
    ownMfa(() => signedIn(location.pathname)), row(button("Sign out", leave, { small: true })));
}
