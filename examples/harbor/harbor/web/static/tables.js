// Tables and columns of a source, found on demand; their names help where a table is asked for.

import { call } from "./api.js";
import { fill, h } from "./dom.js";
import { badge, button, card, empty, loading, muted, problemBox, row } from "./parts.js";

const NEEDED = ["event", "user_id", "occurred_at"];

function tableInfo({ name, columns }) {
  const lacks = NEEDED.filter((each) => !(each in columns));
  return h("details", {}, h("summary", {}, h("strong", {}, name), " ",
    badge(lacks.length ? `lacks ${lacks.join(", ")}` : "ready")),
  h("ul", { class: "columns-list" }, Object.entries(columns).map(([column, type]) =>
    h("li", {}, h("code", {}, column), " ", h("small", {}, type)))));
}

export function discovery(connection) {
  const place = h("div", { "aria-live": "polite" },
    muted("See which tables there are and whether they have what an import needs."));
  const names = h("datalist", { id: "tables" });
  async function run() {
    fill(place, loading("Reading the catalogue"));
    try {
      const { items } = await call("POST", "/v1/connections/{connection_id}/discover",
        { path: { connection_id: connection.id } });
      fill(names, items.map((each) => h("option", { value: each.name })));
      fill(place, items.length ? items.map(tableInfo)
        : empty("No table", "The user sees none. Grant SELECT, then look again."));
    } catch (problem) {
      fill(place, problemBox(problem));
    }
  }
  return card("Tables and columns", place, names,
    row(button("Discover", run, { needs: "connections.manage" })));
}
