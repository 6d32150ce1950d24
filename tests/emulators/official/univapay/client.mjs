// Drives an emulated UnivaPay with UnivaPay's own client, unmodified, and prints what the client saw: one JSON line a step.
//
// PAYGATE_UNIVAPAY_NODE: a node_modules folder with univapay-node
// ENDPOINT, JWT, SECRET: where the emulator is, and the credentials it gave
import { createRequire } from "node:module";
import path from "node:path";

const { ENDPOINT, JWT, SECRET, PAYGATE_UNIVAPAY_NODE } = process.env;
const require = createRequire(path.resolve(PAYGATE_UNIVAPAY_NODE, "..", "client.cjs"));
const { default: SDK, PaymentType, ResponseError, SubscriptionPeriod, TransactionTokenType, WebHookTrigger } =
    require("univapay-node");

const sdk = new SDK({ endpoint: ENDPOINT, jwt: JWT, secret: SECRET });
const storeId = JSON.parse(Buffer.from(JWT.split(".")[1], "base64url")).store_id;

const control = (method, name, body) =>
    fetch(`${ENDPOINT}/_paygate/${name}`, {
        method,
        headers: { "Content-Type": "application/json" },
        body: body && JSON.stringify(body),
    }).then((response) => response.json());

const newToken = (type = TransactionTokenType.RECURRING, card = {}, more = {}) =>
    sdk.transactionTokens.create({
        paymentType: PaymentType.CARD,
        type,
        email: "taro@example.com",
        data: {
            cardholder: "TARO YAMADA",
            cardNumber: "4000020000000000",
            expMonth: "12",
            expYear: "2031",
            cvv: "123",
            phoneNumber: { countryCode: "81", localNumber: "9012345678" },
            ...card,
        },
        ...more,
    });

let amount = 1000; // another one each time: the same amount on the same card is too quick for 30 seconds
const newCharge = (token, more = {}, auth) =>
    sdk.charges.create({ transactionTokenId: token.id, amount: (amount += 1), currency: "JPY", ...more }, auth);
const paid = async (token, more) => sdk.charges.poll(storeId, (await newCharge(token, more)).id);

const refusal = async (call) => {
    try {
        await call;
    } catch (error) {
        return { known: error instanceof ResponseError, ...error.errorResponse };
    }
    return null;
};

const steps = {
    async heartbeat() {
        await sdk.api.ping();
        return { alive: true };
    },

    async token() {
        const created = await newToken(undefined, {}, { metadata: { "univapay-reference-id": "member-4711" } });
        const read = await sdk.transactionTokens.get(storeId, created.id);
        const updated = await sdk.transactionTokens.update(storeId, created.id, { email: "new@example.com" });
        const listed = await sdk.transactionTokens.list({ type: TransactionTokenType.RECURRING }, null, storeId);
        await sdk.transactionTokens.delete(storeId, created.id);
        const gone = await sdk.transactionTokens.get(storeId, created.id);
        return {
            card: read.data.card.lastFour,
            country: read.data.billing.phoneNumber.countryCode,
            metadata: read.metadata,
            email: updated.email,
            listed: listed.items.map(({ id }) => id).includes(created.id),
            active: [read.active, gone.active],
        };
    },

    async tokenRenewed() {
        const old = await newToken();
        const renewed = await sdk.transactionTokens.renew(storeId, old.id, {
            data: { cardholder: "JIRO YAMADA", expMonth: 1, expYear: 2032 },
        });
        return { replaces: renewed.previousId === old.id, year: renewed.data.card.expYear };
    },

    async tokenThreeDs() {
        const token = await newToken();
        await sdk.transactionTokens.enableThreeDs(storeId, token.id);
        const waiting = await sdk.transactionTokens.get(storeId, token.id, { polling: true });
        const { issuerToken, payload, callMethod } = await sdk.transactionTokens.threeDsIssuerToken(storeId, token.id);
        await fetch(issuerToken, { method: "POST", body: new URLSearchParams(payload) });
        const passed = await sdk.transactionTokens.get(storeId, token.id);
        const off = await sdk.transactionTokens.disableThreeDs(storeId, token.id);
        return {
            callMethod,
            statuses: [waiting.data.threeDs.status, passed.data.threeDs.status],
            enabled: off.data.threeDs.enabled,
        };
    },

    async charge() {
        const token = await newToken();
        const created = await newCharge(token, { metadata: { order_id: "A-1", Total: 12 } });
        const settled = await sdk.charges.poll(storeId, created.id);
        return {
            statuses: [created.status, settled.status],
            amounts: [settled.requestedAmount === amount, settled.chargedAmount === amount],
            metadata: settled.metadata,
        };
    },

    async declined() {
        const charge = await paid(await newToken(undefined, { cardNumber: "4111111111111111" }));
        const forced = await newToken(undefined, {}, { email: "a+charge-failure-309@example.com" });
        return { status: charge.status, codes: [charge.error.code, (await paid(forced)).error.code] };
    },

    async idempotency() {
        const token = await newToken();
        const body = { amount: (amount += 1) };
        const first = await newCharge(token, body, { idempotentKey: "order-1" });
        const second = await newCharge(token, body, { idempotentKey: "order-1" });
        const other = await refusal(newCharge(token, {}, { idempotentKey: "order-1" }));
        return { same: first.id === second.id, conflict: other.code };
    },

    async threeDs() {
        const token = await newToken(TransactionTokenType.ONE_TIME);
        const charge = await paid(token, { threeDs: { mode: "force", redirectEndpoint: "https://shop.example/back" } });
        const issuer = await sdk.charges.threeDsIssuerToken(storeId, charge.id);
        const page = await fetch(issuer.issuerToken, {
            method: "POST",
            body: new URLSearchParams(issuer.payload),
            redirect: "manual",
        });
        const settled = await sdk.charges.get(storeId, charge.id);
        return {
            statuses: [charge.status, settled.status],
            back: page.headers.get("location"),
            late: (await refusal(sdk.charges.threeDsIssuerToken(storeId, charge.id))).code,
        };
    },

    async capture() {
        const charge = await paid(await newToken(), { capture: false, amount: 50_000 });
        await sdk.captures.create(storeId, charge.id, { amount: 30_000, currency: "JPY" });
        const settled = await sdk.charges.poll(storeId, charge.id, null, null, {
            successCondition: ({ status }) => status !== "authorized",
        });
        return { statuses: [charge.status, settled.status], charged: settled.chargedAmount };
    },

    async cancel() {
        const charge = await paid(await newToken(), { capture: false });
        const cancel = await sdk.cancels.create(storeId, charge.id, { metadata: { reason: "changed mind" } });
        const settled = await sdk.cancels.poll(storeId, charge.id, cancel.id);
        const { items } = await sdk.cancels.list(storeId, charge.id);
        const after = await sdk.charges.get(storeId, charge.id);
        return { statuses: [cancel.status, settled.status, after.status], listed: items.length };
    },

    async refund() {
        const charge = await paid(await newToken(), { amount: 3000 });
        const refund = await sdk.refunds.create(storeId, charge.id, {
            amount: 1000,
            currency: "JPY",
            reason: "customer_request",
            message: "one item returned",
        });
        const settled = await sdk.refunds.poll(storeId, charge.id, refund.id);
        const updated = await sdk.refunds.update(storeId, charge.id, refund.id, { message: "two items" });
        const listed = await sdk.refunds.list(storeId, charge.id);
        const tooMuch = await refusal(sdk.refunds.create(storeId, charge.id, { amount: 2001, currency: "JPY" }));
        return {
            statuses: [refund.status, settled.status],
            message: updated.message,
            total: listed.totalHits,
            tooMuch: tooMuch.code,
        };
    },

    async paging() {
        const token = await newToken();
        const made = [];
        for (let number = 0; number < 12; number += 1) {
            made.unshift((await newCharge(token)).id);
        }
        const seen = [];
        let page;
        do {
            page = await sdk.charges.list(
                { transactionTokenId: token.id, limit: 5, ...(page && { cursor: page.items.at(-1).id }) },
                null,
                storeId,
            );
            seen.push(page.items.map(({ id }) => id));
        } while (page.hasMore);
        const everywhere = await sdk.charges.list({ limit: 3, cursorDirection: "asc" });
        return {
            sizes: seen.map(({ length }) => length),
            complete: JSON.stringify(seen.flat()) === JSON.stringify(made),
            everywhere: everywhere.items.length,
        };
    },

    async errors() {
        const token = await newToken();
        await newCharge(token, { amount: 7 });
        const invalid = await refusal(newToken(undefined, { cardNumber: "4000020000000001" }));
        const wrong = new SDK({ endpoint: ENDPOINT, jwt: JWT, secret: "guessed" });
        return {
            known: invalid.known,
            invalid: [invalid.httpCode, invalid.code, ...invalid.errors.map(({ field, reason }) => `${field} ${reason}`)],
            quick: (await refusal(newCharge(token, { amount: 7 }))).code,
            missing: (await refusal(sdk.charges.get(storeId, "11f0b001-aaaa-4d00-8f00-00000000d999"))).httpCode,
            secret: (await refusal(wrong.merchants.me())).code,
        };
    },

    async subscription() {
        const token = await newToken(TransactionTokenType.SUBSCRIPTION);
        const created = await sdk.subscriptions.create({
            transactionTokenId: token.id,
            amount: 1980,
            currency: "JPY",
            initialAmount: 980,
            period: SubscriptionPeriod.MONTHLY,
            metadata: { plan: "gold" },
        });
        const { subscription, charge } = await sdk.subscriptions.pollSubscriptionWithFirstCharge(storeId, created.id);
        await control("POST", "clock/advance", { days: 62 });
        const payments = await sdk.subscriptions.payments.list(storeId, created.id);
        const charges = await sdk.subscriptions.charges(storeId, created.id);
        const found = await sdk.subscriptions.list({ search: "gold", status: "current" }, null, storeId);
        const paused = await sdk.subscriptions.suspend(storeId, created.id);
        const resumed = await sdk.subscriptions.unsuspend(storeId, created.id);
        const card = await newToken(undefined, { cardNumber: "5555555555554444" });
        const moved = await sdk.subscriptions.updateToken(storeId, created.id, { transactionTokenId: card.id });
        const updated = await sdk.subscriptions.update(storeId, created.id, { amount: 2500 });
        const next = payments.items[0];
        const patched = await sdk.subscriptions.payments.update(storeId, created.id, next.id, { retryInterval: "P5D" });
        const ofPayment = await sdk.subscriptions.payments.listCharges(storeId, created.id, payments.items[1].id);
        await sdk.subscriptions.delete(storeId, created.id);
        return {
            statuses: [created.status, subscription.status, paused.status, resumed.status],
            ended: (await sdk.subscriptions.get(storeId, created.id)).status,
            first: [charge.status, charge.chargedAmount],
            taken: charges.items.map(({ chargedAmount }) => chargedAmount),
            paid: payments.items.map(({ isPaid }) => isPaid),
            found: found.items.map(({ id }) => id).includes(created.id),
            changes: [moved.transactionTokenId === card.id, updated.amount, patched.retryInterval],
            ofPayment: ofPayment.items.length,
        };
    },

    async simulation() {
        const shown = await sdk.subscriptions.simulation({
            paymentType: PaymentType.CARD,
            amount: 1980,
            currency: "JPY",
            period: SubscriptionPeriod.BIMONTHLY,
            scheduleSettings: { startOn: "2099-01-31", zoneId: "Asia/Tokyo" },
        });
        return { due: shown.slice(0, 3).map(({ dueDate }) => dueDate) };
    },

    async webhooks() {
        const created = await sdk.webHooks.create(
            { url: "http://127.0.0.1:9/hooks", triggers: [WebHookTrigger.CHARGE_FINISHED], authToken: "word" },
            null,
            storeId,
        );
        const updated = await sdk.webHooks.update(created.id, { active: false }, null, storeId);
        const listed = await sdk.webHooks.list(null, null, storeId);
        const twice = await refusal(sdk.webHooks.create({ url: created.url, triggers: created.triggers }, null, storeId));
        await sdk.webHooks.delete(created.id, null, null, storeId);
        return {
            active: [created.active, updated.active],
            word: (created.authToken ?? updated.authToken) === "word",
            listed: listed.items.length,
            twice: twice.code,
            gone: (await refusal(sdk.webHooks.get(created.id, null, null, storeId))).httpCode,
        };
    },

    async merchant() {
        const me = await sdk.merchants.me();
        const stores = await sdk.stores.list();
        const store = await sdk.stores.get(storeId);
        const checkout = await sdk.checkoutInfo.get();
        return {
            privilege: me.configuration.recurringTokenConfiguration.recurringType,
            stores: stores.items.map(({ id }) => id === storeId),
            name: store.name === checkout.name,
            brands: checkout.supportedBrands.length > 0,
        };
    },
};

for (const [name, step] of Object.entries(steps)) {
    console.log(JSON.stringify({ step: name, ...(await step()) }));
}
