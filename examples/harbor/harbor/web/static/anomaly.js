// Alerts on unusual values: what they say, and how one is made.

import { call } from "./api.js";
import { form } from "./form.js";
import { say } from "./notes.js";
import { card, muted } from "./parts.js";

const METRICS = [["met_dau", "Daily active users"], ["met_events", "Events"]];
const DIRECTIONS = [["both", "up or down"], ["up", "up"], ["down", "down"]];
const SENSITIVITIES = [["low", "low: one in two months"], ["medium", "medium: one in two weeks"],
  ["high", "high: one or two a week"]];
const UNUSUAL = { both: "unusual", up: "unusually high", down: "unusually low" };

export const isAnomaly = (alert) => alert.condition === "anomaly";

export function unusual({ direction, sensitivity, period, excluded_dates: excluded = [] }) {
  const left = excluded.length ? `, ${excluded.length} dates left out` : "";
  return `${UNUSUAL[direction]} for the ${period}; ${sensitivity} sensitivity${left}`;
}

export function createAnomaly(reload) {
  const fields = [
    { name: "metric_id", label: "Metric", options: METRICS },
    { name: "direction", label: "Tell when it goes", options: DIRECTIONS },
    { name: "sensitivity", label: "Sensitivity", options: SENSITIVITIES, value: "medium",
      hint: "How many alarms are expected by chance alone." },
    { name: "period", label: "Period", options: ["hour", "day"] },
    { name: "severity", label: "Severity", options: ["normal", "critical"] },
    { name: "name", label: "Name", hint: "Made from the rest when it is left out." },
    { name: "excluded", label: "Dates to leave out", wide: true, placeholder: "2026-12-25",
      hint: "Holidays and outages, at most 60. Nothing is learnt from them and nobody is told." },
  ];
  return card("Make an alert on unusual values",
    muted("It learns from 28 days what is usual, and waits as “learning” until it has them."),
    form(fields, async ({ excluded = "", ...values }, key) => {
      const dates = excluded.split(/[\s,;]+/).filter(Boolean);
      const body = { ...values, excluded_dates: dates };
      await call("POST", "/v1/alerts/anomaly", { body, key });
      say("The alert is made.");
      await reload();
    }, { needs: "alerts.manage", feature: "anomaly", submit: "Create", kind: "plain" }));
}
