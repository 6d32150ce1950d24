// Sells subscriptions on the emulated Stripe with the official Node client, unmodified.
//
//   node billing.mjs BASE_URL API_KEY
//
// Prints one JSON object with what it saw; a failed expectation ends it with a non-zero status. The client is looked up
// in the folder that PAYGATE_STRIPE_NODE names (a node_modules folder).

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const modules = process.env.PAYGATE_STRIPE_NODE;
const require = createRequire(path.join(path.resolve(modules), "noop.js"));
const Stripe = require("stripe");

const [base, key] = process.argv.slice(2);
const { hostname, port } = new URL(base);
const stripe = new Stripe(key, { host: hostname, port, protocol: "http", telemetry: false, maxNetworkRetries: 0 });

const product = await stripe.products.create({ name: "Gold" });
const price = await stripe.prices.create({
  product: product.id,
  currency: "jpy",
  unit_amount: 3000,
  recurring: { interval: "month" },
});
assert.equal((await stripe.prices.list({ product: product.id })).data[0].id, price.id);

const start = Math.floor(Date.UTC(2027, 0, 31, 3) / 1000);
const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start });
const customer = await stripe.customers.create({ test_clock: clock.id });
const method = await stripe.paymentMethods.attach("pm_card_visa", { customer: customer.id });
const made = await stripe.subscriptions.create({
  customer: customer.id,
  default_payment_method: method.id,
  items: [{ price: price.id }],
  metadata: { contract: "c1" },
  expand: ["latest_invoice.payments"],
});
assert.equal(made.status, "active");
assert.equal(made.latest_invoice.parent.subscription_details.metadata.contract, "c1");

await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: start + 30 * 24 * 3600 });
while ((await stripe.testHelpers.testClocks.retrieve(clock.id)).status !== "ready");
const invoices = await stripe.invoices.list({ subscription: made.id, expand: ["data.payments"] });
assert.deepEqual(
  invoices.data.map((one) => one.status),
  ["paid", "paid"],
);
const paid = invoices.data[0].payments.data[0].payment.payment_intent;

const [item] = made.items.data;
const changed = await stripe.subscriptions.update(made.id, {
  items: [{ id: item.id, quantity: 2 }],
  proration_behavior: "none",
});
assert.equal(changed.items.data[0].quantity, 2);
assert.equal((await stripe.invoices.createPreview({ subscription: made.id })).total, 6000);
assert.equal((await stripe.subscriptions.pause(made.id, { type: "subscription" })).status, "paused");
assert.equal((await stripe.subscriptions.resume(made.id)).status, "active");
assert.equal((await stripe.subscriptions.cancel(made.id)).status, "canceled");
assert.equal((await stripe.testHelpers.testClocks.del(clock.id)).deleted, true);

const session = await stripe.checkout.sessions.create({
  mode: "subscription",
  line_items: [{ price: price.id, quantity: 1 }],
  success_url: "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
});
assert.equal((await fetch(session.url)).status, 200);
const back = await fetch(session.url, {
  method: "POST",
  body: new URLSearchParams({ passed: "true" }),
  redirect: "manual",
});
assert.equal(back.headers.get("location"), `https://shop.example/done?session=${session.id}`);
const complete = await stripe.checkout.sessions.retrieve(session.id, { expand: ["subscription", "line_items"] });
assert.equal(complete.subscription.status, "active");
assert.equal(complete.line_items.data[0].amount_total, 3000);

console.log(JSON.stringify({ paid }));
