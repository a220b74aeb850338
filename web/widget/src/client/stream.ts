import type { Event, RunAgentInput } from "@ag-ui/core";
import { createParser } from "eventsource-parser";

import type { Client } from "./client";
import { isAbort } from "./client";
import { lost, Problem } from "./problem";

const PATIENCE = 8; // attempts to come back before giving up: about half a minute
const LONGEST_MS = 8_000;
const SSE = "text/event-stream";

/** `numbered` is false for the events of a prelude: they say what is known already. */
export type OnEvent = (event: Event, numbered: boolean) => void;
/** What the server needs of AG-UI's input; the rest of it we leave empty. */
export type RunInput = Pick<RunAgentInput, "threadId" | "runId" | "messages" | "context"> &
  Partial<Pick<RunAgentInput, "resume">>;

/**
 * Runs `input`: every event in order and once, until the run is over. A lost connection is taken up
 * again behind the last frame seen. Answers with the last frame's id. Throws Problem.
 */
export async function run(
  client: Client,
  input: RunInput,
  onEvent: OnEvent,
  onLost: () => void,
): Promise<string | null> {
  const reader = new Reader(onEvent);
  const body = { protocolVersion: "1.0", tools: [], ...input };
  const first = (): Promise<Response> => client.open("/v1/agui", { body, accept: SSE });
  await untilOver(client, reader, first, input.threadId, onLost);
  return reader.cursor;
}

/** Joins the run of a thread that is under way, or learns how it ended. */
export async function join(
  client: Client,
  threadId: string,
  onEvent: OnEvent,
  onLost: () => void,
): Promise<string | null> {
  const reader = new Reader(onEvent);
  await untilOver(client, reader, () => eventsOf(client, threadId, null), threadId, onLost);
  return reader.cursor;
}

/** Hands on what is told without asking, behind `cursor`, until `signal` ends it. */
export async function watch(
  client: Client,
  threadId: string,
  cursor: string | null,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<void> {
  const reader = new Reader((event, numbered) => numbered && onEvent(event, numbered));
  reader.cursor = cursor;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    const seen = reader.frames;
    try {
      await reader.consume(() => eventsOf(client, threadId, reader.cursor, signal), true);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      if (!(error instanceof Problem)) throw error;
      if (!error.passes) return;
    }
    if (reader.frames > seen) attempt = 1;
    if (!signal.aborted) await pause(attempt);
  }
}

async function untilOver(
  client: Client,
  reader: Reader,
  first: () => Promise<Response>,
  threadId: string,
  onLost: () => void,
): Promise<void> {
  for (let attempt = 0; !reader.over; attempt += 1) {
    if (attempt > PATIENCE) throw lost();
    if (attempt > 0) {
      onLost();
      await pause(attempt);
    }
    const seen = reader.frames;
    // until a frame has come it is not known whether the question arrived: asking twice is safe
    await reader.consume(seen > 0 ? () => eventsOf(client, threadId, reader.cursor) : first, false);
    if (reader.frames > seen) attempt = 0;
  }
}

/** With a `signal` the stream stays open for later runs. */
function eventsOf(
  client: Client,
  threadId: string,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = cursor ? { "last-event-id": cursor } : {};
  const path = `/v1/agui/threads/${encodeURIComponent(threadId)}/events?follow=${Boolean(signal)}`;
  return client.open(path, { accept: SSE, headers, ...(signal ? { signal } : {}) });
}

function pause(attempt: number): Promise<void> {
  const most = Math.min(LONGEST_MS, 250 * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, most / 2 + (Math.random() * most) / 2));
}

class Reader {
  cursor: string | null = null;
  frames = 0;
  over = false;

  constructor(private readonly onEvent: OnEvent) {}

  /** Reads one connection to its end, or to the end of the run. One that breaks ends quietly. */
  async consume(open: () => Promise<Response>, lasting: boolean): Promise<void> {
    try {
      const response = await open();
      if (response.body !== null) await this.read(response.body, lasting);
    } catch (error) {
      const broken = error instanceof Problem ? error.status === 0 : error instanceof TypeError;
      if (!broken) throw error;
    }
  }

  private async read(body: ReadableStream<Uint8Array>, lasting: boolean): Promise<void> {
    const parser = createParser({ onEvent: ({ id, data }) => this.frame(id, data) });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parser.feed(decoder.decode(piece.value, { stream: true }));
      if (this.over && !lasting) return reader.cancel();
    }
  }

  private frame(id: string | undefined, data: string): void {
    if (id !== undefined) this.cursor = id;
    this.frames += 1;
    const event = JSON.parse(data) as Event;
    this.over = event.type === "RUN_FINISHED" || event.type === "RUN_ERROR";
    this.onEvent(event, id !== undefined);
  }
}
