// One connection: checks, tables, imports, schedule, credentials, pause and deletion.

import { all, call } from "../api.js";
import { CHECKS, ONLY_TABLE, kindName, labelOf, secretsOf } from "../connectors.js";
import { ask } from "../dialog.js";
import { fill, h } from "../dom.js";
import { form } from "../form.js";
import { importList } from "../imports.js";
import { mend } from "../mend.js";
import { say } from "../notes.js";
import { area, badge, button, card, empty, facts, loading, muted, problemBox, row, when }
  from "../parts.js";
import { discovery } from "../tables.js";
import { scheduleForm } from "../schedule.js";

const MANAGE = { needs: "connections.manage" };

function checkLine([code, label], state) {
  const signs = { good: "✓", bad: "✗", warn: "!", open: "·" };
  return h("li", { class: `check-line ${state}` }, h("span", { "aria-hidden": "true" },
    signs[state]), label, h("span", { class: "hidden" }, ` (${state})`),
  ["bad", "warn"].includes(state) && h("small", {}, `${code}: ${mend(code)}`));
}

function checkList(kind, failed, warnings) {
  const lines = CHECKS[kind] ?? [];
  const stop = failed ? lines.findIndex(([code]) => code === failed) : lines.length;
  return h("ul", { class: "checks" }, lines.map((line, place) => {
    if (warnings.includes(line[0])) return checkLine(line, "warn");
    if (place === stop) return checkLine(line, "bad");
    return checkLine(line, stop >= 0 && place < stop ? "good" : "open");
  }));
}

function checks(connection, redraw) {
  const place = h("div", { "aria-live": "polite" });
  const path = { connection_id: connection.id };
  async function run() {
    fill(place, loading("Checking"));
    try {
      const { warnings } = await call("POST", "/v1/connections/{connection_id}/check", { path });
      if (warnings.length) say(`The checks passed with a warning: ${warnings.join(", ")}.`, "warn");
      else say("All checks passed.");
      await redraw();
    } catch (problem) {
      fill(place, checkList(connection.kind, problem.code, []), problemBox(problem));
    }
  }
  const last = connection.last_check;
  if (last) fill(place, checkList(connection.kind, last === "ok" ? "" : last, connection.warnings));
  else fill(place, muted("Not checked yet. Nothing is read before the checks have passed."));
  if (location.search === "?check") {
    history.replaceState(null, "", location.pathname);
    run();
  }
  return card("Checks", place, row(button(last ? "Check again" : "Check", run,
    { ...MANAGE, kind: last === "ok" ? "plain" : "primary" })));
}

function imports(connection, { left, redraw }) {
  const path = { connection_id: connection.id };
  const query = { connection_id: connection.id };
  const before = connection.state;
  const after = async () => {
    const now = await call("GET", "/v1/connections/{connection_id}", { path });
    if (now.state !== before) await redraw();
    else await runs.reload();
  };
  const runs = area(() => all("/v1/imports", { query }, 100),
    (items) => importList(items, { left, again: after }), "Looking for imports");
  const start = async ({ mode, table: from }, key) => {
    const body = { connection_id: connection.id, mode, table: from };
    await call("POST", "/v1/imports", { body, key });
    await runs.reload();
  };
  const because = connection.state === "draft" ? "Check the connection first." : "";
  const fields = [
    { name: "table", label: "Table", required: true, list: "tables",
      value: ONLY_TABLE[connection.kind] },
    { name: "mode", label: "Rows", options: [["sample", "A sample of 1,000"], ["full", "All rows"],
      ["incremental", "New rows only"]] },
  ];
  return card("Import", form(fields, start, { needs: "imports.run", because, submit: "Import",
    clear: false }), runs);
}

async function pauseOrResume(connection, redraw) {
  const path = { connection_id: connection.id };
  if (connection.state === "paused") {
    await call("POST", "/v1/connections/{connection_id}/resume", { path });
  } else await call("POST", "/v1/connections/{connection_id}/pause", { path });
  await redraw();
}

async function remove(connection, go) {
  const box = h("input", { type: "checkbox", id: "delete-data" });
  const label = h("label", { class: "check", for: "delete-data" }, box,
    "Delete the imported data, too");
  const text = `Schedules of ${connection.name} stop. Imported data stay unless you say otherwise.`;
  if (!(await ask(`Delete ${connection.name}?`, text, "Delete", label))) return;
  await call("DELETE", "/v1/connections/{connection_id}",
    { path: { connection_id: connection.id }, query: { delete_data: box.checked } });
  say(`${connection.name} is deleted.`);
  await go("/app/connections");
}

function changes(connection, connector, redraw) {
  const path = { connection_id: connection.id };
  const rename = { name: "name", label: "Name", value: connection.name, required: true };
  const save = (body) => call("PATCH", "/v1/connections/{connection_id}", { path, body });
  const secrets = connector ? secretsOf(connector) : [];
  return card("Settings",
    form([rename], async ({ name }) => {
      await save({ name });
      await redraw();
    }, { ...MANAGE, kind: "plain", submit: "Rename" }),
    secrets.length > 0 && form(secrets, async (credentials) => {
      await save({ credentials });
      say("The credentials are replaced. Check the connection again.");
      await redraw();
    }, { ...MANAGE, kind: "plain", submit: "Replace credentials" }));
}

function head(connection, { go, redraw }) {
  const paused = connection.state === "paused";
  const because = connection.state === "draft" ? "Check the connection first." : "";
  return h("div", { class: "top" }, h("h1", { tabindex: -1 }, connection.name),
    badge(connection.state), h("span", { class: "grow" }),
    button(paused ? "Resume" : "Pause", () => pauseOrResume(connection, redraw),
      { ...MANAGE, because }),
    button("Delete", () => remove(connection, go), { ...MANAGE, kind: "danger" }));
}

function about(connection) {
  const pairs = Object.entries(connection.config).map(([name, value]) =>
    [labelOf(name), Array.isArray(value) ? value.join(", ") : String(value)]);
  return card("About", facts([["Kind", kindName(connection.kind)], ...pairs,
    ["Made", when(connection.created_at)], ["Id", h("code", {}, connection.id)]]));
}

export async function view({ id, go, left, redraw }) {
  const path = { connection_id: id };
  const connection = await call("GET", "/v1/connections/{connection_id}", { path });
  const { items } = await call("GET", "/v1/connectors");
  const connector = items.find((each) => each.kind === connection.kind);
  const reads = connection.kind !== "webhook";
  return h("div", {}, h("p", {}, h("a", { href: "/app/connections" }, "← Connections")),
    head(connection, { go, redraw }),
    h("div", { class: "columns" },
      h("div", {}, reads && checks(connection, redraw), reads && discovery(connection),
        reads ? imports(connection, { left, redraw })
          : card("Intake", empty("An inbound webhook is written to",
            "Send events to it from your own systems; there is nothing to check or to read."))),
      h("div", {}, about(connection), reads && scheduleForm(connection, redraw),
        changes(connection, connector, redraw))));
}
