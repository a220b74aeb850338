// Imports as a list that follows those that run, with what can be done about each.

import { call } from "./api.js";
import { ask } from "./dialog.js";
import { fill, h } from "./dom.js";
import { badge, button, count, empty, facts, muted, row, when } from "./parts.js";
import { say } from "./notes.js";

const POLL_MS = 700;
const LONGEST_MS = 8000;
const RUN = { needs: "imports.run", small: true };
const isGoing = (run) => ["queued", "running"].includes(run.state);

function bar(run) {
  if (!isGoing(run)) return null;
  const known = run.mode === "sample" ? { max: 1000, value: run.read } : {};
  const node = h("progress", { "aria-label": "Progress of the import", max: known.max });
  if (known.max && run.read > 0) node.value = Math.min(run.read, known.max);
  return node;
}

async function download(run) {
  const text = await call("GET", "/v1/imports/{import_id}/rejected",
    { path: { import_id: run.id }, text: true });
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = h("a", { href: url, download: `rejected-${run.id}.csv` });
  link.click();
  URL.revokeObjectURL(url);
}

function actions(run, changed) {
  const path = { import_id: run.id };
  const retry = async () => changed(await call("POST", "/v1/imports/{import_id}/retry", { path }));
  const cancel = async () => {
    changed(await call("POST", "/v1/imports/{import_id}/cancel", { path }));
    say("The import is cancelled. Rows already read stay; roll back to remove them.");
  };
  const rollback = async () => {
    const text = `${count(run.rows)} rows of this import go; what they had replaced comes back.`;
    if (!(await ask("Roll this import back?", text, "Roll back"))) return;
    changed(await call("POST", "/v1/imports/{import_id}/rollback", { path }));
    say("Rolled back.");
  };
  const canRetry = ["failed", "cancelled", "partial"].includes(run.state);
  return row(isGoing(run) && button("Cancel", cancel, RUN),
    canRetry && button("Retry", retry, { ...RUN, title: "Goes on at the last committed batch" }),
    !isGoing(run) && run.state !== "rolled_back" && run.rows > 0 &&
      button("Roll back", rollback, RUN),
    run.bad_rows > 0 && button("Rejected rows (CSV)", () => download(run), { small: true }));
}

function body(run, changed) {
  return [
    h("div", { class: "row" }, badge(run.state), h("strong", {}, `${run.mode} import`),
      h("span", { class: "muted" }, run.table ?? ""), h("span", { class: "grow" }),
      when(run.created_at)),
    bar(run),
    facts([["Read", count(run.read)], ["Kept", count(run.rows)],
      ["Rejected", run.bad_rows ? count(run.bad_rows) : null]]),
    run.error && h("p", { class: "problem" }, `${run.error.code}: ${run.error.detail}`),
    actions(run, changed),
  ];
}

// One import; looks again until it has ended, slower while Harbor does not answer.
export function importCard(run, { left, ended }) {
  const node = h("article", { class: "import" });
  let wait = POLL_MS;
  let timer;
  function later(pause) {
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  }
  function changed(now) {
    clearTimeout(timer);
    fill(node, body(now, changed));
    if (isGoing(now)) later(POLL_MS);
  }
  async function look() {
    if (left.aborted) return;
    try {
      const path = { import_id: run.id };
      const now = await call("GET", "/v1/imports/{import_id}", { path });
      wait = POLL_MS;
      changed(now);
      if (!isGoing(now)) ended?.(now);
    } catch (problem) {
      wait = Math.min(wait * 2, LONGEST_MS);
      node.append(muted(`${problem.message} Looking again in ${Math.round(wait / 1000)} s.`));
      later(wait);
    }
  }
  changed(run);
  return node;
}

export function importList(items, { left, again }) {
  if (items.length === 0) return empty("No import yet", "Start one above.");
  const ended = (run) => {
    const tone = { failed: "bad", partial: "warn" }[run.state] ?? "good";
    say(`The import is over: ${run.state.replace("_", " ")}.`, tone);
    again?.(run);
  };
  return h("div", { class: "imports" },
    items.slice(0, 10).map((run) => importCard(run, { left, ended })));
}
