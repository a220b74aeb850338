// The stock AG-UI client against a running server: node contract.mjs URL QUESTION UNANSWERABLE
// Prints what the client ends up with; `test_agui_client.py` starts the server and runs this.

import assert from "node:assert/strict";
import { HttpAgent } from "@ag-ui/client";

const [url, question, unanswerable] = process.argv.slice(2);
const threadId = "contract";

/** One run; the events as the client's own pipeline, verifier included, hands them on. */
async function run(agent, parameters) {
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

function ask(agent, id, content) {
  agent.addMessage({ id, role: "user", content });
  return run(agent, { runId: `run-${id}` });
}

const agent = new HttpAgent({ url: `${url}/v1/agui`, threadId });
const answered = await ask(agent, "q1", question);
const answer = agent.messages.at(-1);
assert.equal(answer.role, "assistant");
assert.match(answer.content, /\[1\]/);
const [citation] = answer.metadata.citations;
assert.deepEqual(
  Object.keys(citation).sort(),
  ["chunkId", "docVersion", "id", "marker", "quote", "title", "url"],
);
assert.equal(answered[0].protocolVersion, "1.0");
assert.equal(answered.at(-1).outcome.type, "success");
assert.ok("checklist" in agent.state);

await ask(agent, "q2", unanswerable);
const activity = agent.messages.find((message) => message.role === "activity");
assert.equal(activity.activityType, "embark.abstained");
assert.equal(activity.content.offer.kind, "person");

// A client that lost the connection joins behind every event; the stock client's verifier reads
// what we send it, and ends up with the same conversation.
class Joining extends HttpAgent {
  requestInit() {
    return { method: "GET", headers: { "last-event-id": this.cursor } };
  }
}

const joined = [];
for (const cursor of await cursors()) {
  const late = new Joining({ url: `${url}/v1/agui/threads/${threadId}/events?follow=false`, threadId });
  late.cursor = cursor;
  await run(late, { runId: "late" });
  const texts = late.messages.filter((m) => m.role === "assistant").map((m) => m.content);
  joined.push(texts);
  const told = agent.messages.filter((m) => m.role === "assistant").map((m) => m.content);
  assert.deepEqual(texts, told, `joined behind event ${cursor}`);
  const citations = late.messages.find((m) => m.id === answer.id).metadata.citations;
  assert.deepEqual(citations, answer.metadata.citations);
}

/** The ids of every event of a run asked for by hand. */
async function cursors() {
  const body = {
    threadId,
    runId: "run-q3",
    messages: [{ id: "q3", role: "user", content: question }],
    tools: [],
    context: [],
  };
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const text = await (await fetch(`${url}/v1/agui`, request)).text();
  agent.addMessage({ id: "q3", role: "user", content: question });
  const { messages } = await (await fetch(`${url}/v1/conversations/${threadId}`)).json();
  agent.addMessage(messages.at(-1));
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
}

console.log(JSON.stringify({ events: answered.map((event) => event.type), joined: joined.length }));
