// Stripe's official Node SDK against the simulator. Each check fails loudly; the last line counts them.
//
// Environment: SIM_URL, SIM_KEY, SIM_SECRET (of the webhooks), HOOKS_URL (GET lists the webhooks that arrived),
// VERIFY_URL (kindred's verifier: POST answers 200 or 400), NODE_TOOLS (the folder whose node_modules has the SDK).

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { SIM_URL, SIM_KEY, SIM_SECRET, HOOKS_URL, VERIFY_URL, NODE_TOOLS } = process.env;
const Stripe = createRequire(`${NODE_TOOLS}/`)('stripe');
const at = new URL(SIM_URL);
const options = { host: at.hostname, port: Number(at.port), protocol: 'http', maxNetworkRetries: 0, telemetry: false };
const stripe = new Stripe(SIM_KEY, options);

let checks = 0;
const check = (what, fact) => {
  checks += 1;
  assert.ok(fact, what);
};
const same = (is, expected) => {
  checks += 1;
  assert.deepEqual(is, expected);
};
const refused = async (type, call, facts = {}) => {
  const error = await call().then(
    () => assert.fail(`expected ${type}`),
    (error) => error,
  );
  same(error.type, type);
  for (const [name, fact] of Object.entries(facts)) same(error[name], fact);
};
const act = async (session, form) => {
  const answer = await fetch(session.url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
  return answer.status;
};
const fault = async (fields) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${SIM_URL}/_sim/faults`, { method: 'POST', headers, body: JSON.stringify(fields) });
  same(answer.status, 200);
};
const soon = Math.floor(Date.now() / 1000) + 45 * 60;
const params = (more = {}) => ({
  mode: 'payment',
  success_url: 'https://shop.test/done?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'https://shop.test/back',
  line_items: [
    { quantity: 1, price_data: { currency: 'cny', unit_amount: 20000, product_data: { name: '普通会员' } } },
  ],
  payment_method_options: { wechat_pay: { client: 'web' } },
  payment_intent_data: { metadata: { order_id: 'ord_js' } },
  expires_at: soon,
  ...more,
});
const sessions = stripe.checkout.sessions;

// Create, replay, retrieve, line items, expire.
const session = await sessions.create(params(), { idempotencyKey: 'js-create-1' });
same([session.status, session.payment_status, session.amount_total], ['open', 'unpaid', 20000]);
const again = await sessions.create(params(), { idempotencyKey: 'js-create-1' });
same([again.id, again.lastResponse.headers['idempotent-replayed']], [session.id, 'true']);
same((await sessions.listLineItems(session.id)).data[0].price.unit_amount, 20000);
same(await act(session, { action: 'pay', method: 'alipay' }), 303);
const paid = await sessions.retrieve(session.id, { expand: ['payment_intent.latest_charge'] });
same([paid.payment_status, paid.payment_intent.latest_charge.payment_method_details.type], ['paid', 'alipay']);
const open = await sessions.create(params());
same((await sessions.expire(open.id)).status, 'expired');
await refused('StripeInvalidRequestError', () => sessions.expire(open.id), { statusCode: 400 });
await refused('StripeInvalidRequestError', () => sessions.retrieve('cs_none'), { code: 'resource_missing' });

// A declined card, then paid on the same session.
const second = await sessions.create(params());
same(await act(second, { action: 'fail', method: 'card' }), 200);
const failed = await sessions.retrieve(second.id, { expand: ['payment_intent'] });
same([failed.status, failed.payment_intent.last_payment_error.code], ['open', 'card_declined']);
same(await act(second, { action: 'pay', method: 'card' }), 303);

// Refunds.
const card = await sessions.retrieve(second.id);
const refund = await stripe.refunds.create({ payment_intent: card.payment_intent, amount: 500 });
same([refund.status, refund.amount], ['succeeded', 500]);
const tooMuch = () => stripe.refunds.create({ payment_intent: card.payment_intent, amount: 19501 });
await refused('StripeInvalidRequestError', tooMuch, { param: 'amount' });
const pending = await stripe.refunds.create({ payment_intent: paid.payment_intent.id });
same(pending.status, 'pending');
same((await stripe.refunds.list({ payment_intent: card.payment_intent })).data.map((one) => one.id), [refund.id]);

// A saved card is charged while its owner is away.
const { id: customer } = await stripe.customers.create({ email: 'js@shop.test' });
const saving = await sessions.create(
  params({
    customer,
    payment_method_options: { card: { setup_future_usage: 'off_session' }, wechat_pay: { client: 'web' } },
  }),
);
same(await act(saving, { action: 'pay', method: 'card', card_behaviour: 'authentication_required' }), 303);
const [mine] = (await stripe.customers.listPaymentMethods(customer, { type: 'card' })).data;
const chargeParams = {
  amount: 120000,
  currency: 'cny',
  customer,
  payment_method: mine.id,
  allowed_payment_method_types: ['card'],
  off_session: true,
  confirm: true,
  metadata: { payment_id: 'pay_js' },
};
const absent = await stripe.paymentIntents.create(chargeParams).then(
  () => assert.fail('expected a refusal'),
  (error) => error,
);
same([absent.type, absent.statusCode, absent.code], ['StripeCardError', 402, 'authentication_required']);
same([absent.payment_intent.status, absent.payment_method.id], ['requires_payment_method', mine.id]);
same((await stripe.paymentIntents.retrieve(absent.payment_intent.id)).last_payment_error.code, absent.code);
same((await stripe.paymentIntents.cancel(absent.payment_intent.id)).status, 'canceled');
const portal = await stripe.billingPortal.sessions.create({ customer, return_url: 'https://shop.test/me', locale: 'zh' });
same(await act(portal, { action: 'add', last4: '0005', exp_month: '3', exp_year: '2031' }), 303);
const [added] = (await stripe.paymentMethods.list({ customer, type: 'card' })).data;
same([added.card.last4, added.card.exp_year], ['0005', 2031]);
same(await act(portal, { action: 'default', card: added.id }), 303);
same((await stripe.customers.retrieve(customer)).invoice_settings.default_payment_method, added.id);
const charge = () =>
  stripe.paymentIntents.create({ ...chargeParams, payment_method: added.id }, { idempotencyKey: 'js-off-1' });
const charged = await charge();
same([charged.status, (await charge()).id], ['succeeded', charged.id]);
same((await stripe.refunds.create({ payment_intent: charged.id, amount: 500 })).status, 'succeeded');
same((await stripe.paymentMethods.detach(added.id)).customer, null);
const detached = () => stripe.paymentIntents.create({ ...chargeParams, payment_method: added.id });
await refused('StripeInvalidRequestError', detached, { statusCode: 400 });

// Lists page by themselves.
const made = [];
for (let count = 0; count < 7; count += 1) made.unshift((await sessions.create(params())).id);
const listed = [];
for await (const one of sessions.list({ limit: 3 })) listed.push(one.id);
same(listed.slice(0, 7), made);
same(new Set(listed).size, listed.length);

// Errors by the SDK's classes.
const stranger = new Stripe('sk_test_wrong', options);
await refused('StripeAuthenticationError', () => stranger.refunds.list(), { statusCode: 401 });
const gone = () => sessions.create(params({ payment_method_types: ['card'] }));
await refused('StripeInvalidRequestError', gone, { code: 'parameter_unknown', param: 'payment_method_types' });
const reused = () => sessions.create(params({ locale: 'zh' }), { idempotencyKey: 'js-create-1' });
await refused('StripeIdempotencyError', reused, { statusCode: 400 });
for (const [status, type] of [
  [402, 'StripeCardError'],
  [429, 'StripeRateLimitError'],
  [500, 'StripeAPIError'],
]) {
  await fault({ operation: 'create_checkout', kind: 'status', status });
  await refused(type, () => sessions.create(params()), { statusCode: status });
}
// Twice: the SDK repeats a call by itself when a kept connection turns out to be closed.
await fault({ operation: 'create_checkout', kind: 'answer_lost', times: 2 });
await refused('StripeConnectionError', () => sessions.create(params(), { idempotencyKey: 'js-lost' }));
const found = await sessions.create(params(), { idempotencyKey: 'js-lost' });
same(found.lastResponse.headers['idempotent-replayed'], 'true');

// The SDK's own retries carry one key and end with one session.
const stubborn = new Stripe(SIM_KEY, { ...options, maxNetworkRetries: 2 });
await fault({ operation: 'create_checkout', kind: 'answer_lost', times: 2 });
const kept = await stubborn.checkout.sessions.create(params());
const newest = await sessions.list({ limit: 2 });
same([newest.data[0].id, newest.data[1].id], [kept.id, found.id]);

// Webhooks that really arrived, and the SDK's own header at kindred's verifier.
let arrived = [];
for (let tries = 0; tries < 200 && !arrived.some(({ body }) => body.includes(pending.id)); tries += 1) {
  await new Promise((done) => setTimeout(done, 50));
  arrived = await (await fetch(HOOKS_URL)).json();
}
const events = arrived.map(({ body, signature }) => stripe.webhooks.constructEvent(body, signature, SIM_SECRET));
check('completed', events.some((e) => e.type === 'checkout.session.completed' && e.data.object.id === session.id));
check('charged', events.some((e) => e.type === 'payment_intent.succeeded' && e.data.object.id === charged.id));
check('failed', events.some((e) => e.type === 'payment_intent.payment_failed'));
assert.throws(() => stripe.webhooks.constructEvent(`${arrived[0].body} `, arrived[0].signature, SIM_SECRET));
const payload = JSON.stringify(events[0], null, 2);
const header = (more) => stripe.webhooks.generateTestHeaderString({ payload, secret: SIM_SECRET, ...more });
const verify = async (signature, body = payload) => {
  const answer = await fetch(VERIFY_URL, { method: 'POST', headers: { 'stripe-signature': signature }, body });
  return answer.status;
};
const now = Math.floor(Date.now() / 1000);
same(await verify(header({})), 200);
same(await verify(header({ timestamp: now - 600 })), 400);
same(await verify(header({ secret: 'whsec_other' })), 400);
same(await verify(header({}), `${payload} `), 400);

console.log(`Node SDK ${Stripe.PACKAGE_VERSION ?? ''}: ${checks} checks passed`);
