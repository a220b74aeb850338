// Tiles to choose from when a dashboard is made or changed by hand.

const NUMBERS = { wau: "Weekly active users", dau: "Daily active users",
  mau: "Monthly active users", mrr: "MRR", events: "Events" };

const CHOICES = {
  ...Object.fromEntries(Object.entries(NUMBERS).map(([query, title]) =>
    [title, { kind: "number", title, query }])),
  "New users per day": { kind: "line", title: "New users per day", query: "new_users",
    options: { days: 30 } },
  "Top events": { kind: "bar", title: "Top events", query: "top_events" },
  "Events as a table": { kind: "table", title: "Events", query: "top_events" },
  "Weekly retention": { kind: "cohort", title: "Weekly retention", query: "retention",
    options: { weeks: 4 } },
};

export const TILES = Object.keys(CHOICES);

export const tileOf = (name) => ({ options: {}, why: "Chosen by hand.", ...CHOICES[name] });

// A funnel from event names, one a line or separated by commas.
export function funnelOf(text) {
  const steps = text.split(/[\n,]/).map((each) => each.trim()).filter(Boolean);
  if (steps.length < 2 || steps.length > 10) throw new Error("A funnel has 2 to 10 steps.");
  return { kind: "funnel", title: `Funnel: ${steps[0]} to ${steps.at(-1)}`.slice(0, 100),
    query: "funnel", options: { steps }, why: "Chosen by hand." };
}

// A tile as the API takes it back.
export const plain = ({ kind, title, query, options, why }) => ({ kind, title, query, options, why });
