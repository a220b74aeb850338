import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { Client } from "../src/client/client";
import { Problem } from "../src/client/problem";
import { run } from "../src/client/stream";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A real server on a free port; what was asked of it, in order. */
async function serving(context: TestContext, answer: Answer): Promise<{ base: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  context.after(() => server.closeAllConnections());
  context.after(() => server.close());
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

test("a token of the host is exchanged once", async (context) => {
  const { base, asked } = await serving(context, ({ url }, response) =>
    url === "/v1/sessions" ? json(response, 201, { credential: "ems_1" }) : json(response, 200, {}),
  );
  const client = new Client(base, () => "aa.bb.cc");
  await Promise.all([client.json("/v1/a"), client.json("/v1/b")]);
  assert.deepEqual(asked.sort(), ["GET /v1/a Bearer ems_1", "GET /v1/b Bearer ems_1", "POST /v1/sessions Bearer aa.bb.cc"]);
});

test("a server without widget tokens is given the token itself", async (context) => {
  const { base, asked } = await serving(context, ({ url }, response) => json(response, url === "/v1/sessions" ? 404 : 200, {}));
  await new Client(base, () => "aa.bb.cc").json("/v1/a");
  assert.equal(asked.at(-1), "GET /v1/a Bearer aa.bb.cc");
});

test("a credential that is over is renewed once", async (context) => {
  const good = "Bearer fresh";
  const { base, asked } = await serving(context, ({ headers }, response) =>
    headers.authorization === good ? json(response, 200, { ok: true }) : json(response, 401, { code: "auth_expired" }),
  );
  const tokens = ["stale", "fresh"];
  const client = new Client(base, () => tokens.shift() ?? "none");
  assert.deepEqual(await client.json("/v1/a"), { ok: true });
  assert.equal(asked.length, 2);
});

test("who is not taken twice is told so", async (context) => {
  const { base, asked } = await serving(context, (_, response) => json(response, 401, { code: "auth_expired", detail: "over" }));
  const client = new Client(base, () => "x");
  await assert.rejects(client.json("/v1/a"), (error: unknown) => error instanceof Problem && error.code === "auth_expired");
  assert.equal(asked.length, 2);
});

test("without a token nothing is said of anybody", async (context) => {
  const { base, asked } = await serving(context, (_, response) => json(response, 200, {}));
  await new Client(base, null).json("/v1/a");
  assert.deepEqual(asked, ["GET /v1/a -"]);
});

test("a lost connection is taken up behind the last frame", async (context) => {
  const frame = (id: number, event: object): string => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
  const cursors: unknown[] = [];
  const { base } = await serving(context, (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (request.method === "POST") {
      response.write(frame(1, { type: "RUN_STARTED" }) + frame(2, { type: "STEP_STARTED", stepName: "retrieve" }));
      setTimeout(() => response.destroy(), 20);
      return;
    }
    cursors.push(request.headers["last-event-id"]);
    response.end(`: ping\n\n${frame(3, { type: "STEP_FINISHED" })}${frame(4, { type: "RUN_FINISHED" })}`);
  });
  const seen: string[] = [];
  let lost = 0;
  const input = { threadId: "t1", runId: "r1", messages: [], context: [] };
  const cursor = await run(new Client(base, null), input, ({ type }) => void seen.push(type), () => void (lost += 1));
  assert.deepEqual(seen, ["RUN_STARTED", "STEP_STARTED", "STEP_FINISHED", "RUN_FINISHED"]);
  assert.deepEqual([cursor, cursors, lost], ["4", ["2"], 1]);
});
