// Who is signed in, and what this person and this plan may do.

import { call, settings } from "./api.js";

export const session = { me: null, workspace: null, config: null, plan: null,
  overdue: false };

export async function loadConfig() {
  session.config ??= await settings();
}

export async function loadMe() {
  session.me = await call("GET", "/v1/me");
  session.overdue = true; // until the answer tells: whoever is asked here needs no other notice
  try {
    session.workspace = await call("GET", "/v1/workspace");
    session.overdue = false;
  } catch (problem) {
    session.overdue = problem.code === "HBR-613";
    if (!session.overdue) throw problem;
  }
  session.plan = session.config.plans.find((plan) => plan.name === session.me.plan);
}

const named = (word) => word[0].toUpperCase() + word.slice(1);
export const planName = () => named(session.plan.name);

export const may = (permission) => session.me.permissions.includes(permission);

const isFeature = (name) => session.plan.features.includes(name);

function rolesWith(permission) {
  const found = Object.entries(session.config.roles);
  return found.filter(([, list]) => list.includes(permission)).map(([role]) => role);
}

const cheapest = (feature) =>
  session.config.plans.find((plan) => plan.features.includes(feature))?.name ?? "a higher plan";

// Why something cannot be used; "" where it can.
export function reason({ needs, feature, because } = {}) {
  if (because) return because;
  if (needs && !may(needs)) {
    return `Your role, ${session.me.role}, cannot do this. ` +
      `It takes ${rolesWith(needs).join(", ")}.`;
  }
  if (feature && !isFeature(feature)) {
    return `Not in the ${planName()} plan; it comes with ${named(cheapest(feature))}.`;
  }
  return "";
}
