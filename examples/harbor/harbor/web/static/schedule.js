// When a connection imports by itself.

import { call } from "./api.js";
import { h } from "./dom.js";
import { form } from "./form.js";
import { say } from "./notes.js";
import { area, card, muted, when } from "./parts.js";
import { session } from "./session.js";

const MINUTES = { "5m": 5, "15m": 15, "30m": 30, "1h": 60, "6h": 360, "12h": 720, "24h": 1440 };

function intervals() {
  const shortest = session.plan.interval_min;
  return Object.keys(MINUTES).filter((each) => MINUTES[each] >= shortest);
}

function told({ schedule, next_run_at: next, skipped_at: skipped, failed_runs: failed }) {
  if (!schedule) return muted("No schedule yet.");
  const daily = schedule.every === "24h" ? ` at ${schedule.at} ${schedule.timezone}` : "";
  return [muted(`Every ${schedule.every}${daily}. `, next ? ["Next run: ", when(next)]
    : "Runs start after the first full import, and not while the connection is paused."),
  failed > 0 && muted(`${failed} in a row have failed; five pause the connection.`),
  skipped && muted("Skipped, because the run before was still going: ", when(skipped))];
}

const runs = (connection) => area(() => call("GET", "/v1/connections/{connection_id}/runs",
  { path: { connection_id: connection.id } }), told);

export function scheduleForm(connection, redraw) {
  const now = connection.schedule;
  const zones = h("datalist", { id: "zones" },
    Intl.supportedValuesOf("timeZone").map((zone) => h("option", { value: zone })));
  const fields = [
    { name: "every", label: "Every", options: intervals(), value: now?.every ?? "24h" },
    { name: "at", label: "At", type: "time", value: now?.at ?? "02:00", required: true,
      hint: "For every 24h; the others count from when they are saved." },
    { name: "timezone", label: "Time zone", list: "zones", required: true,
      value: now?.timezone ?? session.workspace.timezone ?? "UTC" },
    { name: "skip_weekends", label: "Skip weekends", type: "checkbox", value: now?.skip_weekends },
  ];
  return card("Schedule", runs(connection), zones, form(fields, async (body) => {
    await call("PUT", "/v1/connections/{connection_id}/schedule",
      { path: { connection_id: connection.id }, body });
    say("The schedule is saved.");
    await redraw();
  }, { needs: "connections.manage", kind: "plain", submit: "Save the schedule", clear: false }));
}
