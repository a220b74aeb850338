// Pages for the suites: a browser of their own, and nothing that goes wrong unseen.

import { after } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const tokens = (process.env.TOKENS ?? "").split(",");

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
after(() => browser.close());

/** Somebody's page. What it says on its console, and every error and violation, fails the test. */
export async function opened(context, { person = 0, options = {}, path = "/", viewport, ...more } = {}) {
  const own = await browser.newContext({ viewport: viewport ?? { width: 1000, height: 820 }, ...more });
  const page = await own.newPage();
  page.setDefaultTimeout(30_000);
  const wrong = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  context.after(async () => {
    await own.close();
    assert.deepEqual(wrong.filter((text) => !isExpected(text)), []);
  });
  await page.goto(address(person, options, path));
  await launcher(page).waitFor();
  return page;
}

/** Chromium tells of every request that an outage ends. */
function isExpected(text) {
  return text.includes("net::ERR_INTERNET_DISCONNECTED");
}

/** `person`: which of those who are signed up; null for nobody. */
export function address(person, options = {}, path = "/") {
  const url = new URL(path, process.env.HOST_PAGE);
  if (person !== null) url.searchParams.set("token", tokens[person]);
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value);
  return url.href;
}

export function launcher(page) {
  return page.getByRole("button", { name: /the assistant$/ }).last();
}

export async function open(page) {
  await page.getByRole("button", { name: "Open the assistant" }).click();
  await page.getByRole("dialog").waitFor();
}

export async function ask(page, text) {
  const question = page.getByRole("textbox", { name: "Your question" });
  await question.fill(text);
  await question.press("Enter");
}

export async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}
