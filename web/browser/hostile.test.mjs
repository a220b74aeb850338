import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, open, opened } from "./page.mjs";

const SINK = "https://sink.example";
const SHAPES = [
  (n) => `<img src=${SINK}/${n} onerror="window.hit=${n}">`,
  (n) => `<script>window.hit=${n}</script>`,
  (n) => `[words](javascript:window.hit=${n})`,
  (n) => `![](${SINK}/${n}.png)`,
  (n) => `[a]: ${SINK}/${n} "x"`,
  (n) => `<svg onload=window.hit=${n}>`,
  (n) => `<iframe srcdoc="<script>parent.hit=${n}</script>"></iframe>`,
  (n) => `<style>@import "${SINK}/${n}.css";</style>`,
  (n) => `**<a href="${SINK}/${n}">**`,
  (n) => `| <img src=${SINK}/${n}> | b |\n|--|--|\n| [x](${SINK}/${n}) | <b onmouseover=hit=${n}>`,
  (n) => `1. <object data=${SINK}/${n}>\n   - <embed src=${SINK}/${n}>`,
  (n) => `\`\`\`html\n<img src=${SINK}/${n}>\n\`\`\``,
  (n) => `[1](${SINK}/${n}) [2] ![3](data:text/html,${n})`,
  (n) => `\u202e<meta http-equiv=refresh content="0;url=${SINK}/${n}">`,
  (n) => `{{constructor.constructor('window.hit=${n}')()}}`,
  (n) => `<embark-copilot data-x=${n}></embark-copilot>`,
];
const COUNT = 2_000;
const RUN = 100; // messages of one answer

function frames(texts) {
  const events = [
    { type: "RUN_STARTED", threadId: "t", runId: "r", protocolVersion: "1.0" },
    ...texts.flatMap((text, place) => [
      { type: "TEXT_MESSAGE_START", messageId: `m${place}`, role: "assistant" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: `m${place}`, delta: text },
      {
        type: "TEXT_MESSAGE_END",
        messageId: `m${place}`,
        metadata: {
          citations: [{ id: text, marker: 2, chunkId: text, url: "javascript:hit=1", title: text, docVersion: "1", quote: text }],
          choices: [{ value: text, label: text }],
        },
      },
    ]),
    { type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "success" } },
  ];
  return events.map((event, id) => `id: ${id + 1}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

test(`${COUNT} hostile texts make no request and run nothing`, async (context) => {
  const page = await opened(context, { person: null });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  let from = 0;
  await page.route("**/v1/agui", (route) => {
    const texts = Array.from({ length: RUN }, (_, place) => SHAPES[(from + place) % SHAPES.length](from + place));
    from += RUN;
    const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
    return route.fulfill({ status: 200, contentType: "text/event-stream", headers, body: frames(texts) });
  });
  await open(page);
  for (let run = 0; run < COUNT / RUN; run += 1) {
    await page.getByRole("button", { name: "New conversation" }).click();
    await ask(page, `run ${run}`);
    await page.locator(`[data-id="m${RUN - 1}"] .sources`).waitFor();
    const elements = await page.evaluate(() => {
      const log = document.querySelector("embark-copilot").shadowRoot.querySelector("[role=log]");
      return log.querySelectorAll("img,script,iframe,object,embed,style,svg,meta,a,embark-copilot,[onerror],[onload],[onmouseover]").length;
    });
    assert.equal(elements, 0);
  }
  assert.ok(from >= COUNT);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.deepEqual(asked.filter((url) => url.startsWith(SINK)), []);
});
