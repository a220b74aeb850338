import assert from "node:assert/strict";
import { test } from "node:test";

import type { Event } from "@ag-ui/core";

import { apply, cardId, empty, put } from "../src/state/conversation";
import type { Conversation } from "../src/state/conversation";

const CARD = { actionId: "a1", digest: "d", title: "Invite 2 people", status: "pending" };

function told(events: readonly object[], from: Conversation = empty("t1")): Conversation {
  return events.reduce<Conversation>((talk, event) => apply(talk, event as Event), from);
}

const answer = [
  { type: "RUN_STARTED", threadId: "t1", runId: "r1" },
  { type: "STEP_STARTED", stepName: "retrieve" },
  { type: "STEP_FINISHED", stepName: "retrieve" },
  { type: "TEXT_MESSAGE_START", messageId: "m1", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "Up to 50 " },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "people [1]." },
];
const citation = { id: "c1", marker: 1, chunkId: "x#1", url: "/d", title: "Invite", docVersion: "1", quote: "q" };

test("an answer grows by its pieces and ends with its citations", () => {
  const open = told(answer);
  assert.equal(open.messages.get("m1")?.text, "Up to 50 people [1].");
  assert.equal(open.messages.get("m1")?.isOpen, true);
  const done = told([{ type: "TEXT_MESSAGE_END", messageId: "m1", metadata: { citations: [citation] } }], open);
  assert.equal(done.messages.get("m1")?.isOpen, false);
  assert.deepEqual(done.messages.get("m1")?.citations, [citation]);
});

test("each event makes a new value and leaves the old one", () => {
  const before = told(answer);
  told([{ type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: " More" }], before);
  assert.equal(before.messages.get("m1")?.text, "Up to 50 people [1].");
});

test("the step is known while it lasts", () => {
  assert.equal(told(answer.slice(0, 2)).step, "retrieve");
  assert.equal(told(answer.slice(0, 3)).step, null);
});

test("half an answer goes when the run fails, and what was asked stays", () => {
  const asked = put(empty("t1"), { id: "u1", role: "user", content: "How?" });
  const failed = told([...answer, { type: "RUN_ERROR", code: "internal", message: "No." }], asked);
  assert.deepEqual([...failed.messages.keys()], ["u1"]);
  assert.deepEqual(failed.error, { code: "internal", message: "No." });
  assert.equal(told([{ type: "RUN_STARTED" }], failed).error, null);
});

test("a card waits for the run that it interrupted", () => {
  const paused = told([
    { type: "TOOL_CALL_START", toolCallId: "a1", toolCallName: "invite" },
    { type: "TOOL_CALL_ARGS", toolCallId: "a1", delta: '{"emails":' },
    { type: "TOOL_CALL_ARGS", toolCallId: "a1", delta: '["a@x.com"]}' },
    { type: "ACTIVITY_SNAPSHOT", messageId: "s", activityType: "embark.approval", content: CARD },
    { type: "RUN_FINISHED", outcome: { type: "interrupt", interrupts: [{ id: "a1" }] } },
  ]);
  assert.deepEqual(JSON.parse(paused.calls.get("a1") ?? ""), { emails: ["a@x.com"] });
  assert.equal(paused.messages.get(cardId("a1"))?.role, "card");
  assert.ok(paused.pauses.has("a1"));
  assert.equal(told([{ type: "RUN_FINISHED", outcome: { type: "success" } }], paused).pauses.size, 0);
});

test("progress moves, and the result takes its place", () => {
  const content = { actionId: "a1", step: "import", done: 1, of: 3, nextTry: null };
  const under = told([
    { type: "ACTIVITY_SNAPSHOT", messageId: "a1:progress", activityType: "embark.progress", content },
    { type: "ACTIVITY_DELTA", messageId: "a1:progress", patch: [{ op: "replace", path: "/done", value: 2 }] },
  ]);
  assert.equal(under.messages.get(cardId("a1"))?.progress?.done, 2);
  const result = JSON.stringify({ status: "succeeded", detail: null, result: { rows: 3 }, undo: "remove it" });
  const metadata = { receipt: { id: "rcpt_1", jws: "e.y.J" } };
  const done = told([{ type: "TOOL_CALL_RESULT", messageId: "t", toolCallId: "a1", content: result, metadata }], under);
  const card = done.messages.get(cardId("a1"));
  assert.equal(card?.progress, null);
  assert.deepEqual(card?.result?.receipt, metadata.receipt);
});

test("a snapshot replaces everything, cards and results among it", () => {
  const before = told(answer);
  const after = told(
    [
      {
        type: "MESSAGES_SNAPSHOT",
        messages: [
          { id: "u1", role: "user", content: "Invite a@x.com" },
          { id: "act", role: "activity", activityType: "embark.approval", content: CARD },
          { id: "t", role: "tool", toolCallId: "a1", content: '{"status":"succeeded"}' },
        ],
      },
    ],
    before,
  );
  assert.deepEqual([...after.messages.keys()], ["u1", cardId("a1")]);
  assert.equal(after.messages.get(cardId("a1"))?.result?.status, "succeeded");
});

test("events that this widget does not know change nothing", () => {
  const before = told(answer);
  assert.equal(told([{ type: "CUSTOM", name: "x", value: 1 }], before), before);
});
