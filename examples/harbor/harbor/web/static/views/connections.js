// All connections, a CSV upload, and adding a connection.

import { all, call } from "../api.js";
import { apart, fieldsOf, kindName, kindText } from "../connectors.js";
import { h } from "../dom.js";
import { form } from "../form.js";
import { importList } from "../imports.js";
import { area, badge, button, card, empty, linkButton, muted, row, table, when } from "../parts.js";
import { say } from "../notes.js";
import { planName, session } from "../session.js";

const MANAGE = { needs: "connections.manage" };

const every = (schedule) => (schedule ? `every ${schedule.every}` : "not set");

function list(connections, go) {
  if (connections.length === 0) {
    return empty("No data yet", "Connect a source, or upload a CSV file below. " +
      "A sample of 1,000 rows is enough for the first dashboard.",
      linkButton("Add a connection", "/app/connections/new", go, { ...MANAGE, kind: "primary" }));
  }
  return table(["Name", "Kind", "State", "Schedule", "Changed"], connections.map((each) => [
    h("a", { href: `/app/connections/${each.id}` }, each.name), kindName(each.kind),
    badge(each.state), every(each.schedule), when(each.updated_at)]));
}

function upload(left) {
  const megabytes = session.plan.csv_bytes / 1e6;
  const fields = [
    { name: "file", label: "File", type: "file", accept: ".csv,text/csv", required: true,
      hint: `UTF-8 with event, user_id and occurred_at; at most ${megabytes} MB.` },
    { name: "delimiter", label: "Delimiter", options: [["", "Find out"], [",", "Comma"],
      [";", "Semicolon"], ["\t", "Tab"]] },
    { name: "mode", label: "Import", options: [["sample", "A sample of 1,000 rows"],
      ["full", "The whole file"]] },
  ];
  const runs = area(async () => (await all("/v1/imports", {}, 200)).filter((i) => i.upload_id),
    (items, again) => importList(items, { again, left }), "Looking for uploads");
  const run = async ({ file, delimiter, mode }, key) => {
    const data = new FormData();
    data.append("file", file);
    if (delimiter) data.append("delimiter", delimiter);
    const made = await call("POST", "/v1/uploads", { form: data, key });
    await call("POST", "/v1/imports", { body: { upload_id: made.id, mode } });
    say(`${made.name} is being imported.`);
    await runs.reload();
  };
  return card("Upload a CSV file",
    form(fields, run, { needs: "imports.run", submit: "Upload and import" }), runs);
}

export async function view({ go, left }) {
  const connections = await all("/v1/connections");
  const { plan } = session;
  return h("div", {}, h("div", { class: "top" }, h("h1", { tabindex: -1 }, "Connections"),
    connections.length > 0 && linkButton("Add a connection", "/app/connections/new", go,
      { ...MANAGE, kind: "primary" })),
  muted(`${connections.length} of ${plan.connections} in the ${planName()} plan.`),
  card(null, list(connections, go)), upload(left));
}

function kinds(connectors, choose) {
  const usable = connectors.filter((each) => each.kind !== "csv");
  return h("div", { class: "grid" }, usable.map((each) => {
    const because = each.in_plan ? "" : `Not in the ${planName()} plan.`;
    return h("div", { class: "card choice" }, h("h2", {}, kindName(each.kind)),
      muted(kindText(each.kind)),
      button("Choose", () => choose(each), { ...MANAGE, because, kind: "primary",
        label: `Choose ${kindName(each.kind)}` }),
      because && muted(because));
  }));
}

function settingsForm(connector, { go, back }) {
  const name = { name: "name", label: "Name", value: kindName(connector.kind), wide: true,
    required: true };
  return card(kindName(connector.kind),
    muted("It is made as a draft: nothing is read before the checks have passed."),
    form([name, ...fieldsOf(connector)], async (values, key) => {
      const body = { kind: connector.kind, name: values.name, ...apart(values) };
      const made = await call("POST", "/v1/connections", { body, key });
      await go(`/app/connections/${made.id}${connector.kind === "webhook" ? "" : "?check"}`);
    }, { ...MANAGE, submit: "Save and check", clear: false }),
    row(button("Choose another kind", back)));
}

export async function add({ go }) {
  const { items } = await call("GET", "/v1/connectors");
  const place = h("div", {});
  const back = () => place.replaceChildren(kinds(items, choose));
  const choose = (connector) => {
    place.replaceChildren(settingsForm(connector, { go, back }));
    place.querySelector("input")?.focus();
  };
  back();
  return h("div", {}, h("h1", { tabindex: -1 }, "Add a connection"), place);
}
