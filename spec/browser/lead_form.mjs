// Opens the lead form in a browser, fills it in as a visitor would, and prints what it saw as one line of JSON.
//
//     node lead_form.mjs URL CHROMIUM FOLDER-OF-NODE_MODULES FOLDER-FOR-SCREENSHOTS

import { createRequire } from "node:module";
import path from "node:path";

const [url, executablePath, modules, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(path.resolve(modules, "x.js"))("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 900, height: 800 } });
page.setDefaultTimeout(20000);

const seen = { complaints: [], requests: [] };
page.on("console", (message) => message.type() === "error" && seen.complaints.push(message.text()));
page.on("pageerror", (error) => seen.complaints.push(String(error)));
page.on("request", (request) => seen.requests.push(`${request.method()} ${new URL(request.url()).origin}`));
page.on("dialog", (dialog) => { seen.complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });

const shot = (name) => page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
const invalid = () => page.locator(":invalid:not(form)").evaluateAll((list) => list.map((element) => element.name));

await page.goto(url);
seen.title = await page.title();
seen.labels = await page.locator("label").allInnerTexts();
seen.background = await page.locator("button").evaluate((button) => getComputedStyle(button).backgroundColor);
await shot("empty");

// the browser itself holds back what is incomplete
await page.getByRole("button", { name: "Send" }).click();
seen.invalid = await invalid();
seen.heldBack = !seen.requests.some((request) => request.startsWith("POST"));

// what only the server can know comes back beside the field, with everything still filled in
await page.getByLabel("Last Name").fill('<img src=x onerror="alert(1)">');
await page.getByLabel("Email").fill("nora@localhost"); // valid for a browser
await page.getByLabel("Lead Source").selectOption({ label: "Trade Show" });
await page.getByLabel("No. of Employees").fill("12");
await page.getByLabel("Description").fill("\nTwo lines\nof <b>text</b>");
await page.getByRole("button", { name: "Send" }).click();
await page.getByRole("alert").waitFor();
seen.errors = await page.locator(".error").allInnerTexts();
seen.described = await page.getByLabel("Email").getAttribute("aria-describedby");
seen.kept = {
  name: await page.getByLabel("Last Name").inputValue(),
  source: await page.getByLabel("Lead Source").inputValue(),
  description: await page.getByLabel("Description").inputValue(),
};
seen.focused = await page.evaluate(() => document.activeElement.name);
await shot("error");

await page.getByLabel("Last Name").fill("Nordmann");
await page.getByLabel("Email").fill("nora@example.org");
await page.getByRole("button", { name: "Send" }).click();
await page.waitForURL("**/thanks");
seen.thanks = await page.getByRole("heading").innerText();
await shot("thanks");

await page.goto(new URL("/pipeline", url).href);
seen.bars = await page.locator("svg rect").evaluateAll((list) => list.map((bar) => bar.getBoundingClientRect().width));
seen.chart = await page.getByRole("table").locator("caption").innerText();
await shot("pipeline");

// a phone: nothing to be scrolled sideways
await page.setViewportSize({ width: 360, height: 740 });
seen.overflow = [];
for (const place of ["/pipeline", "/"]) {
  await page.goto(new URL(place, url).href);
  seen.overflow.push(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
  await shot(`phone${place.replace("/", "-").replace(/-$/, "")}`);
}

// by keyboard alone: from field to field, and the form is sent
await page.keyboard.press("Tab");
seen.keyboard = [];
for (let i = 0; i < 9; i += 1) {
  seen.keyboard.push(await page.evaluate(() => document.activeElement.name || document.activeElement.type));
  await page.keyboard.press("Tab");
}

const cookies = await page.context().cookies();
seen.cookies = cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }));
seen.readable = await page.evaluate(() => document.cookie);

await browser.close();
console.log(JSON.stringify(seen));
