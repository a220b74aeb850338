// Signing in, signing up, and joining by an invite.

import { call, signOut } from "../api.js";
import { fill, h } from "../dom.js";
import { form } from "../form.js";
import { mark } from "../frame.js";
import { say } from "../notes.js";

const EMAIL = { name: "email", label: "E-mail", type: "email", required: true,
  autocomplete: "username" };
const PASSWORD = { name: "password", label: "Password", type: "password", required: true,
  autocomplete: "current-password" };
const CHOSEN = { ...PASSWORD, autocomplete: "new-password", minlength: 12,
  hint: "At least 12 characters." };
const CODE = { name: "code", label: "Code", required: true, autocomplete: "one-time-code",
  hint: "The six digits that your app shows now, or a recovery code." };
const TRUST = { name: "trust_device", label: "Trust this device for 30 days", type: "checkbox" };
const NAME = { name: "name", label: "Your name", required: true, autocomplete: "name" };

const sheet = (title, text, ...children) =>
  h("div", { class: "card sign" }, h("p", { class: "brand" }, mark(), "Harbor"),
    h("h1", { tabindex: -1 }, title), h("p", { class: "muted" }, text), children);

const body = ({ email, password }) => ({ email, password });

// Password first; the code only of whoever has a second factor.
function entering(signedIn) {
  const place = h("div", {});
  const enter = async (given) => {
    await call("POST", "/v1/sign-in", { body: given });
    await signedIn();
  };
  const askCode = (known) => {
    fill(place, form([CODE, TRUST], (values) => enter({ ...known, ...values }),
      { submit: "Sign in", clear: false }));
    place.querySelector("input").focus();
  };
  fill(place, form([EMAIL, PASSWORD], async (values) => {
    try {
      await enter(body(values));
    } catch (problem) {
      if (problem.code !== "HBR-611") throw problem;
      askCode(body(values));
    }
  }, { submit: "Sign in", clear: false }));
  return place;
}

export async function signIn({ signedIn }) {
  return sheet("Sign in", "Product analytics for small SaaS companies.",
    entering(signedIn),
    h("p", { class: "muted" }, "New here? ", h("a", { href: "/app/sign-up" }, "Start a trial")));
}

export async function signUp({ signedIn }) {
  const fields = [NAME, EMAIL, CHOSEN,
    { name: "workspace", label: "Workspace", required: true, placeholder: "Your company" }];
  return sheet("Start a trial", "14 days of Growth, no card needed.",
    form(fields, async (values, key) => {
      await call("POST", "/v1/sign-up", { body: values, key });
      await call("POST", "/v1/sign-in", { body: body(values) });
      await signedIn();
    }, { submit: "Create the workspace", clear: false }),
    h("p", { class: "muted" }, "You have an account? ", h("a", { href: "/app/sign-in" }, "Sign in")));
}

export async function join({ signedIn }) {
  const token = location.hash.slice(1);
  if (!token) {
    return sheet("Join a workspace", "This address lacks the token of an invite. Open the link " +
      "of the mail once more, or ask for a new invite.");
  }
  const fields = [NAME, { ...EMAIL, required: false,
    hint: "Needed for a shared link; an invite by mail knows it." }, CHOSEN];
  return sheet("Join a workspace", "Somebody invited you to Harbor.",
    form(fields, async (values, key) => {
      await call("POST", "/v1/invites/accept", { body: { token, ...values }, key });
      await signOut();
      if (!values.email) {
        say("You are in the team. Sign in with the address of the invite.");
        return location.assign("/app/sign-in");
      }
      await call("POST", "/v1/sign-in", { body: body(values) });
      return signedIn();
    }, { submit: "Join", clear: false }));
}
