// The stock AG-UI client proposes, is interrupted, resumes and reads the receipt: node acting.mjs URL
// `test_agui_acting.py` starts the server and runs this.

import assert from "node:assert/strict";
import { HttpAgent } from "@ag-ui/client";

const [url] = process.argv.slice(2);
const headers = { authorization: "Bearer ana" };
const agent = new HttpAgent({ url: `${url}/v1/agui`, threadId: "contract", headers });
const warned = [];
console.warn = (...words) => warned.push(words.join(" "));

async function run(parameters) {
  const events = [];
  await agent.runAgent(parameters, {
    onEvent: ({ event }) => {
      events.push(event);
    },
    onRunFailed: ({ error }) => {
      throw error;
    },
  });
  return events;
}

function say(id, content) {
  agent.addMessage({ id, role: "user", content });
  return run({ runId: `run-${id}` });
}

function interruptOf(events) {
  const { outcome } = events.at(-1);
  assert.equal(outcome.type, "interrupt");
  return outcome.interrupts[0];
}

const answer = (interrupt, payload) => ({ interruptId: interrupt.id, status: "resolved", payload });
const shop = async () => (await (await fetch(`${url}/v1/actions`, { headers })).json()).actions;

// --- a proposal ------------------------------------------------------------------------------

const asked = interruptOf(await say("q1", "set lamp to red"));
assert.equal(asked.reason, "tool_call");
const proposal = agent.messages.find((message) => message.toolCalls?.length);
assert.equal(proposal.toolCalls[0].id, asked.toolCallId);
assert.deepEqual(JSON.parse(proposal.toolCalls[0].function.arguments), { name: "lamp", value: "red" });
const card = agent.messages.find((message) => message.activityType === "embark.approval");
assert.equal(card.content.digest, asked.metadata.digest);
assert.ok(Date.parse(asked.expiresAt) > Date.now());

// --- a run that does not answer it -----------------------------------------------------------

// The client itself refuses to begin while an interrupt is open; a run begun by hand is told so.
await assert.rejects(run({ runId: "run-blocked" }));
const body = { threadId: "contract", runId: "run-by-hand", tools: [], context: [] };
const message = { id: "q2", role: "user", content: "hello" };
const refused = await fetch(`${url}/v1/agui`, {
  method: "POST",
  headers: { ...headers, "content-type": "application/json" },
  body: JSON.stringify({ ...body, messages: [message] }),
});
assert.match(await refused.text(), /"code":"pending_interrupt"/);

// --- an edit, an approval, a receipt ---------------------------------------------------------

const edited = interruptOf(await run({
  runId: "run-edit",
  resume: [answer(asked, { approved: true, editedArgs: { value: "green" } })],
}));
assert.notEqual(edited.id, asked.id);
const done = await run({ runId: "run-yes", resume: [answer(edited, { approved: true })] });
assert.equal(done.at(-1).outcome.type, "success");
assert.ok(!done.some((event) => event.type === "TOOL_CALL_START"));
const result = agent.messages.find((m) => m.role === "tool" && m.toolCallId === edited.toolCallId);
const told = JSON.parse(result.content);
assert.deepEqual([told.state, told.receipt], ["succeeded", "rcpt_1"]);
const event = done.find((one) => one.type === "TOOL_CALL_RESULT");
assert.equal(event.metadata.receipt.jws.split(".").length, 3);
assert.match(agent.messages.at(-1).content, /Receipt rcpt_1/);
assert.equal(agent.messages.find((m) => m.id === `${edited.id}:card`).content.status, "succeeded");

// --- a denial --------------------------------------------------------------------------------

const undo = interruptOf(await say("q3", "undo that"));
const denied = await run({ runId: "run-no", resume: [answer(undo, { approved: false })] });
assert.equal(denied.at(-1).outcome.type, "success");
assert.deepEqual((await shop()).map((action) => action.status), ["denied", "succeeded", "edited"]);

console.log(JSON.stringify({ messages: agent.messages.length, warned }));
