import assert from "node:assert/strict";
import { test } from "node:test";

import { AxeBuilder } from "@axe-core/playwright";

import { ask, launcher, open, opened, shot } from "./page.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const LEAST_PX = 24;

async function violations(page) {
  const { violations: found } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

/** Axe passes buttons that are too small: they are measured (WCAG 2.5.8). */
function small(page) {
  return page.evaluate((least) => {
    const root = document.querySelector("embark-copilot").shadowRoot;
    const shown = [...root.querySelectorAll("button, a[href], input, select, summary")].filter((one) => one.checkVisibility());
    const sizes = shown.map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()]);
    return sizes.filter(([, { width, height }]) => width < least || height < least).map(([html]) => html);
  }, LEAST_PX);
}

async function sound(page, name) {
  await shot(page, name);
  assert.deepEqual([await violations(page), await small(page)], [[], []], name);
}

for (const theme of ["light", "dark"]) {
  test(`every view, ${theme}`, async (context) => {
    const page = await opened(context, { person: 7, options: { theme }, reducedMotion: "reduce" });
    await sound(page, `closed-${theme}`);
    await open(page);
    await page.getByText(/steps? done/).click();
    await sound(page, `steps-${theme}`);
    await ask(page, "How do I connect Stripe?");
    await page.getByRole("button", { name: /^Source 1: / }).first().waitFor();
    await sound(page, `answer-${theme}`);
    await page.getByRole("button", { name: /^Source 1: / }).first().click();
    await page.locator("mark").first().waitFor();
    await sound(page, `source-${theme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Privacy and settings" }).click();
    await page.getByRole("group", { name: "What I think of you" }).waitFor();
    await sound(page, `privacy-${theme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "New conversation" }).click();
    await ask(page, "Please invite ben@northwind.example as an editor");
    await page.getByRole("button", { name: "Change" }).click();
    await sound(page, `card-${theme}`);
    await page.getByRole("button", { name: "Not now" }).last().click();
  });
}

test("what is wrong is found", async (context) => {
  const page = await opened(context, { person: 7 });
  await open(page);
  await page.evaluate(() => {
    const button = document.createElement("button");
    button.style.cssText = "width:19px;height:10px;padding:0;min-block-size:0;color:#777;background:#888";
    document.querySelector("embark-copilot").shadowRoot.querySelector(".top").append(button);
  });
  assert.equal((await small(page)).length, 1);
  assert.match((await violations(page)).join(), /button-name/);
});

test("by keyboard alone", async (context) => {
  const page = await opened(context, { person: 7 });
  await launcher(page).focus();
  await page.keyboard.press("Enter");
  const question = page.getByRole("textbox", { name: "Your question" });
  await question.waitFor();
  assert.ok(await question.evaluate((node) => node === node.getRootNode().activeElement));
  const seen = new Set();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.textContent ?? "outside"));
  }
  assert.ok(seen.has("outside"), "a desktop panel is no trap");
  await question.focus();
  await page.keyboard.press("Escape");
  assert.ok(await launcher(page).evaluate((node) => node === node.getRootNode().activeElement));
});

test("at 400 % nothing has to be scrolled sideways", async (context) => {
  const page = await opened(context, { person: 7, viewport: { width: 320, height: 256 } });
  await open(page);
  await page.getByText(/steps? done/).waitFor();
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.querySelector("embark-copilot").shadowRoot.querySelector(".scroll");
    return scrollWidth - clientWidth;
  });
  assert.equal(wide, 0);
  await shot(page, "zoomed");
});
