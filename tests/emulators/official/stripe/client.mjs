// Drives the emulated Stripe with the official Node client, unmodified.
//
//   node client.mjs BASE_URL API_KEY
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

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("expected a refusal");
}

const customer = await stripe.customers.create({ email: "taro@example.com", metadata: { member: "42" } });
const method = await stripe.paymentMethods.attach("pm_card_visa", { customer: customer.id });
await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });

const payment = {
  amount: 3000,
  currency: "jpy",
  customer: customer.id,
  payment_method: method.id,
  confirm: true,
  off_session: true,
  metadata: { order: "7" },
  expand: ["latest_charge.balance_transaction"],
};
const paid = await stripe.paymentIntents.create(payment, { idempotencyKey: "order-7" });
const again = await stripe.paymentIntents.create(payment, { idempotencyKey: "order-7" });
assert.equal(again.id, paid.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
assert.equal(paid.status, "succeeded");
assert.equal(paid.latest_charge.balance_transaction.amount, 3000);

const conflict = await refusal(stripe.paymentIntents.create({ ...payment, amount: 1 }, { idempotencyKey: "order-7" }));
assert.equal(conflict.type, "StripeIdempotencyError");

const declined = await refusal(
  stripe.paymentIntents.create({
    amount: 500,
    currency: "jpy",
    payment_method: "pm_card_chargeDeclined",
    confirm: true,
    off_session: true,
  }),
);
assert.equal(declined.type, "StripeCardError");
assert.equal(declined.payment_intent.status, "requires_payment_method");

const unknown = await refusal(stripe.customers.create({ colour: "red" }));
assert.equal(unknown.code, "parameter_unknown");
const missing = await refusal(stripe.paymentIntents.retrieve("pi_nothing"));
assert.equal(missing.statusCode, 404);
const stranger = await refusal(
  new Stripe("sk_test_somebody_else", { host: hostname, port, protocol: "http", telemetry: false }).customers.list(),
);
assert.equal(stranger.type, "StripeAuthenticationError");

const refund = await stripe.refunds.create({ payment_intent: paid.id, amount: 1000 });
assert.equal(refund.status, "succeeded");
const tooMuch = await refusal(stripe.refunds.create({ payment_intent: paid.id, amount: 2001 }));
assert.equal(tooMuch.param, "amount");

const asked = await stripe.paymentIntents.create({
  amount: 800,
  currency: "jpy",
  payment_method: "pm_card_authenticationRequired",
  confirm: true,
  return_url: "https://shop.example/back?cart=1",
});
assert.equal(asked.status, "requires_action");
const page = await fetch(asked.next_action.redirect_to_url.url);
assert.equal(page.status, 200);
const back = await fetch(asked.next_action.redirect_to_url.url, {
  method: "POST",
  body: new URLSearchParams({ passed: "true" }),
  redirect: "manual",
});
assert.match(back.headers.get("location"), /cart=1&payment_intent=pi_.*redirect_status=succeeded/);
assert.equal((await stripe.paymentIntents.retrieve(asked.id)).status, "succeeded");

const setup = await stripe.setupIntents.create({
  customer: customer.id,
  payment_method: "pm_card_visa",
  confirm: true,
  automatic_payment_methods: { enabled: true, allow_redirects: "never" },
});
assert.equal(setup.status, "succeeded");

const endpoint = await stripe.webhookEndpoints.create({
  url: "https://shop.example/hook",
  enabled_events: ["payment_intent.succeeded"],
});
assert.match(endpoint.secret, /^whsec_/);
await stripe.webhookEndpoints.del(endpoint.id);

const names = [];
for (let i = 0; i < 12; i += 1) names.push((await stripe.customers.create({ name: `Customer ${i}` })).name);
const listed = [];
for await (const one of stripe.customers.list({ limit: 5 })) if (one.name) listed.push(one.name);
assert.deepEqual(listed, names.toReversed());

const events = await stripe.events.list({ type: "payment_intent.succeeded" });
const methods = await stripe.customers.listPaymentMethods(customer.id);
assert.equal(methods.data.length, 2);
assert.equal((await stripe.balance.retrieve()).object, "balance");
assert.equal((await stripe.customers.del(customer.id)).deleted, true);

console.log(JSON.stringify({ paid: paid.id, events: events.data.length, refunded: refund.amount }));
