// AG-UI over fetch: a small reader of server-sent events that comes back after a lost connection.

import { Problem, problem } from "./problem.js";
import { headers } from "./session.js";

const PATIENCE = 8; // attempts to come back before giving up: about half a minute
const JSON_TYPE = "application/json";

/**
 * Run `input` and hand every event to `onEvent`, in order and once, until the run is over.
 * A lost connection is taken up again from the last frame seen. Throws Problem.
 */
export async function run(input, onEvent, onLost) {
  const reader = new Reader(onEvent);
  const post = () =>
    fetch("/v1/agui", {
      method: "POST",
      headers: headers({ "content-type": JSON_TYPE, accept: "text/event-stream" }),
      body: JSON.stringify(input),
    });
  await untilOver(reader, post, input.threadId, onLost);
  return reader.cursor;
}

/** Join the run of a thread that is under way, or learn how it ended. */
export async function join(threadId, onEvent, onLost) {
  const reader = new Reader(onEvent);
  await untilOver(reader, () => events(threadId), threadId, onLost);
  return reader.cursor;
}

/**
 * Hand on what is told without asking, from behind `cursor`, until `signal` ends it. The events of
 * a prelude are left out: they say what is known already.
 */
export async function watch(threadId, cursor, onEvent, signal) {
  const reader = new Reader((event, numbered) => numbered && onEvent(event));
  reader.cursor = cursor;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    const seen = reader.frames;
    reader.lasting = true;
    try {
      await reader.consume(() => events(threadId, reader.cursor, signal));
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      if (error instanceof Problem && error.status < 500) return;
      if (!(error instanceof Problem)) throw error;
    }
    if (reader.frames > seen) attempt = 1;
    if (!signal.aborted) await pause(attempt);
  }
}

async function untilOver(reader, first, threadId, onLost) {
  for (let attempt = 0; !reader.over; attempt += 1) {
    if (attempt > PATIENCE) throw new Problem(0, { detail: "The connection was lost." });
    if (attempt) {
      onLost();
      await pause(attempt);
    }
    // until a frame has come it is not known whether the question arrived: asking twice is safe
    const open = reader.started ? () => events(threadId, reader.cursor) : first;
    const seen = reader.frames;
    await reader.consume(open);
    if (reader.frames > seen) attempt = 0;
  }
}

/** With a `signal` the stream stays open for later runs. */
function events(threadId, cursor, signal) {
  const sent = headers({ accept: "text/event-stream" });
  if (cursor) sent["last-event-id"] = cursor;
  const address = `/v1/agui/threads/${encodeURIComponent(threadId)}/events`;
  return fetch(`${address}?follow=${Boolean(signal)}`, { headers: sent, signal });
}

function pause(attempt) {
  const most = Math.min(8000, 250 * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, most / 2 + (Math.random() * most) / 2));
}

class Reader {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.cursor = null;
    this.frames = 0;
    this.over = false;
    this.lasting = false;
  }

  get started() {
    return this.frames > 0;
  }

  /** Read one connection to its end. A network failure ends it quietly; Problem is thrown. */
  async consume(open) {
    let response;
    try {
      response = await open();
    } catch (error) {
      if (error instanceof TypeError) return; // fetch: the network failed
      throw error;
    }
    if (!response.ok) throw await problem(response);
    try {
      await this.read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async read(reader) {
    let buffer = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const frames = (buffer + piece.value).split("\n\n");
      buffer = frames.pop();
      frames.forEach((frame) => this.frame(frame));
      if (this.over && !this.lasting) return reader.cancel();
    }
    return undefined;
  }

  frame(text) {
    const data = [];
    let numbered = false;
    for (const line of text.split("\n")) {
      if (line.startsWith("id:")) {
        this.cursor = line.slice(3).trim();
        numbered = true;
      }
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    if (!data.length) return;
    this.frames += 1;
    const event = JSON.parse(data.join("\n"));
    this.over = event.type === "RUN_FINISHED" || event.type === "RUN_ERROR";
    this.onEvent(event, numbered);
  }
}
