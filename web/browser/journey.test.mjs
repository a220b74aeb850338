import assert from "node:assert/strict";
import { test } from "node:test";

import { address, ask, launcher, open, opened, shot } from "./page.mjs";

test("an answer, its source with the quote marked, and back", async (context) => {
  const page = await opened(context, { person: 0 });
  await open(page);
  await ask(page, "How do I connect Stripe?");
  await page.getByRole("button", { name: /^Source 1: / }).first().click();
  await page.locator("mark").first().waitFor();
  assert.ok((await page.locator("mark").allTextContents()).join("").trim());
  const link = page.getByRole("link", { name: "Open the page" });
  assert.match(await link.getAttribute("href"), /^https?:/);
  await shot(page, "source");
  await page.keyboard.press("Escape");
  await page.getByRole("log").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
});

test("do it for me, approve, receipt, undo", async (context) => {
  const page = await opened(context, { person: 1 });
  await open(page);
  await ask(page, "Please invite ben@northwind.example as an editor");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("article", { name: /^Revoke an invite/ }).getByRole("button", { name: "Approve" }).click();
  await page.getByRole("article", { name: "Invite a person: Taken back" }).waitFor();
  await shot(page, "undone");
});

test("a changed argument makes a new card", async (context) => {
  const page = await opened(context, { person: 2 });
  await open(page);
  await ask(page, "Please invite ben@northwind.example as an editor");
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByRole("combobox", { name: "Role" }).selectOption({ label: "viewer" });
  await page.getByRole("button", { name: "Show the changed card" }).click();
  const changed = page.getByRole("article", { name: "Invite a person: Waits for your approval" });
  await changed.getByText("viewer").waitFor();
  await changed.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("article", { name: "Invite a person: Done" }).waitFor();
});

test("after a reload everything is as it was, and on a second device too", async (context) => {
  const page = await opened(context, { person: 3 });
  await open(page);
  await ask(page, "Please invite ben@northwind.example as an editor");
  await page.getByRole("button", { name: "Approve" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Approve" }).waitFor();
  assert.equal(await launcher(page).getAttribute("aria-expanded"), "true");
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("article", { name: "Invite a person: Denied" }).waitFor();
});

test("what is asked offline is sent on the way back", async (context) => {
  const page = await opened(context, { person: 4 });
  await open(page);
  await page.context().setOffline(true);
  await page.getByText("You are offline.").waitFor();
  await ask(page, "How do I connect Stripe?");
  await page.context().setOffline(false);
  await page.getByRole("button", { name: /^Source 1: / }).first().waitFor();
});

test("next steps: a reason, another one, put off, suggested again", async (context) => {
  const page = await opened(context, { person: 5 });
  await open(page);
  const cards = page.getByRole("list", { name: "Your next steps" });
  await cards.getByRole("button", { name: "Not now" }).first().click();
  await page.getByRole("button", { name: "Privacy and settings" }).click();
  await page.getByRole("button", { name: /^Suggest again/ }).first().click();
  await page.getByRole("button", { name: /^Suggest again/ }).waitFor({ state: "detached" });
});

test("who takes back their consent is not followed any more; who leaves is gone", async (context) => {
  const page = await opened(context, { person: 6 });
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/v1/batch") && sent.push(request.postData()));
  await open(page);
  await page.getByText(/steps? done/).waitFor();
  await page.getByRole("button", { name: "Privacy and settings" }).click();
  await page.waitForTimeout(2_500);
  assert.match(sent.join(""), /"type":"page"/);
  await page.getByRole("checkbox", { name: /^To follow what you do/ }).uncheck();
  await page.waitForTimeout(3_000);
  const before = sent.length;
  for (let click = 0; click < 4; click += 1) await page.locator("#nowhere").click();
  await page.waitForTimeout(5_000);
  assert.equal(sent.length, before);
  await shot(page, "privacy");
  await page.getByRole("button", { name: "Delete everything" }).click();
  await page.getByRole("button", { name: "Yes, delete everything" }).click();
  await page.getByText(/^Everything was deleted/).waitFor();
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith("embark."))), []);
});

test("a tooltip points at its element, by mouse and by keyboard, and is over once it is understood", async (context) => {
  const page = await opened(context, { person: 0, path: "/guided" });
  const bubble = page.getByRole("dialog", { name: "Connect data first" });
  await bubble.waitFor();
  const [own, target] = await Promise.all([bubble.boundingBox(), page.locator("#nav a").boundingBox()]);
  assert.ok(own.y >= target.y + target.height || own.y + own.height <= target.y, "it does not cover what it is about");
  assert.equal(await page.evaluate(() => document.activeElement?.localName), "body", "it takes no focus");
  await shot(page, "tooltip");
  await bubble.getByRole("button", { name: "Got it" }).click();
  await bubble.waitFor({ state: "detached" });
  await page.reload();
  await launcher(page).waitFor();
  await page.waitForTimeout(2_000);
  assert.equal(await bubble.count(), 0);
});

test("nobody signed in gets answers, and no more", async (context) => {
  const page = await opened(context, { person: null });
  await open(page);
  await ask(page, "How do I connect Stripe?");
  await page.getByRole("button", { name: /^Source 1: / }).first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Privacy and settings" }).count(), 0);
  assert.ok(address(null));
});
