// Are the recorded requests, and the simulator's objects, what the newest SDK's TypeScript types allow?
//
// types.mjs REQUESTS.jsonl OBJECTS.json: writes each as a literal of its type and lets the compiler judge: a parameter
// or field that the type doesn't know, one that is missing, one of another type.
// Environment: NODE_TOOLS (the folder whose node_modules has the SDK and the compiler).

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const tools = process.env.NODE_TOOLS;
const [requestsFile, objectsFile] = process.argv.slice(2);

// Form fields that are numbers; everything else that looks like one is a text.
const NUMBERS = /^(amount|unit_amount|quantity|expires_at|limit|gte?|lte?)$/;

function tree(form) {
  const root = {};
  for (const [name, value] of new URLSearchParams(form)) {
    const keys = name.match(/[^[\]]+|(?<=\[)(?=\])/g);
    let place = root;
    keys.forEach((key, index) => {
      const own = key === '' ? String(Object.keys(place).length) : key;
      if (index === keys.length - 1) {
        place[own] = NUMBERS.test(keys.findLast((part) => !/^\d*$/.test(part))) ? Number(value) : word(value);
      } else place = place[own] ??= {};
    });
  }
  return lists(root);
}

const word = (value) => (value === 'true' ? true : value === 'false' ? false : value);

function lists(node) {
  if (node === null || typeof node !== 'object') return node;
  const keys = Object.keys(node);
  if (keys.length && keys.every((key) => /^\d+$/.test(key))) return keys.sort((a, b) => a - b).map((key) => lists(node[key]));
  return Object.fromEntries(keys.map((key) => [key, lists(node[key])]));
}

const PARAMS = [
  ['POST', /^\/v1\/checkout\/sessions$/, 'Checkout.SessionCreateParams'],
  ['GET', /^\/v1\/checkout\/sessions$/, 'Checkout.SessionListParams'],
  ['POST', /^\/v1\/checkout\/sessions\/[^/]+\/expire$/, 'Checkout.SessionExpireParams'],
  ['GET', /^\/v1\/checkout\/sessions\/[^/]+\/line_items$/, 'Checkout.SessionListLineItemsParams'],
  ['GET', /^\/v1\/checkout\/sessions\/[^/]+$/, 'Checkout.SessionRetrieveParams'],
  ['POST', /^\/v1\/refunds$/, 'RefundCreateParams'],
  ['GET', /^\/v1\/refunds$/, 'RefundListParams'],
  ['GET', /^\/v1\/refunds\/[^/]+$/, 'RefundRetrieveParams'],
  ['POST', /^\/v1\/payment_intents$/, 'PaymentIntentCreateParams'],
  ['GET', /^\/v1\/payment_intents$/, 'PaymentIntentListParams'],
  ['POST', /^\/v1\/payment_intents\/[^/]+\/cancel$/, 'PaymentIntentCancelParams'],
  ['GET', /^\/v1\/payment_intents\/[^/]+$/, 'PaymentIntentRetrieveParams'],
  ['GET', /^\/v1\/charges\/[^/]+$/, 'ChargeRetrieveParams'],
  ['GET', /^\/v1\/disputes$/, 'DisputeListParams'],
  ['GET', /^\/v1\/disputes\/[^/]+$/, 'DisputeRetrieveParams'],
  ['POST', /^\/v1\/customers$/, 'CustomerCreateParams'],
  ['GET', /^\/v1\/customers\/[^/]+$/, 'CustomerRetrieveParams'],
  ['GET', /^\/v1\/customers\/[^/]+\/payment_methods$/, 'CustomerListPaymentMethodsParams'],
  ['POST', /^\/v1\/billing_portal\/sessions$/, 'BillingPortal.SessionCreateParams'],
  ['GET', /^\/v1\/events$/, 'EventListParams'],
  ['GET', /^\/v1\/events\/[^/]+$/, 'EventRetrieveParams'],
];

const OBJECTS = {
  'checkout.session': 'Checkout.Session',
  payment_intent: 'PaymentIntent',
  charge: 'Charge',
  refund: 'Refund',
  dispute: 'Dispute',
  customer: 'Customer',
  event: 'Event',
  item: 'LineItem',
  payment_method: 'PaymentMethod',
  'billing_portal.session': 'BillingPortal.Session',
};

// The SDK turns decimals of the wire (texts) into objects of its own.
const literal = (value) =>
  JSON.stringify(value, null, 1).replace(/("unit_amount_decimal": )"\d+"/g, '$1null as unknown as null');

const lines = ["import type Stripe from 'stripe';"];
const labels = {};
const add = (type, value, label) => {
  const name = `v${Object.keys(labels).length}`;
  labels[lines.join('\n').split('\n').length + 1] = label;
  lines.push(`export const ${name}: Stripe.${type} = ${literal(value)};`);
};

let judged = 0;
const seen = new Set();
for (const line of readFileSync(requestsFile, 'utf8').split('\n').filter(Boolean)) {
  const { m, p, q, b } = JSON.parse(line);
  const type = PARAMS.find(([method, path]) => method === m && path.test(p))?.[2];
  if (!type) throw new Error(`no type for ${m} ${p}`);
  const value = tree(m === 'POST' ? b : q);
  if (seen.has(type + JSON.stringify(value))) continue;
  seen.add(type + JSON.stringify(value));
  add(type, value, `${m} ${p}`);
  judged += 1;
}
const objects = JSON.parse(readFileSync(objectsFile, 'utf8'));
for (const object of objects) {
  const type = OBJECTS[object.object];
  if (!type) throw new Error(`no type for ${object.object}`);
  add(type, object, `object ${object.object}`);
  judged += 1;
}

writeFileSync(join(tools, 'judged.ts'), lines.join('\n') + '\n');
const config = {
  compilerOptions: {
    strict: true, noEmit: true, skipLibCheck: true, module: 'nodenext', moduleResolution: 'nodenext',
    target: 'es2022', types: ['node'],
  },
  files: ['judged.ts'],
};
writeFileSync(join(tools, 'tsconfig.json'), JSON.stringify(config));
try {
  execFileSync(join(tools, 'node_modules/.bin/tsc'), ['-p', tools, '--pretty', 'false'], { encoding: 'utf8' });
} catch (error) {
  const marks = Object.keys(labels).map(Number);
  for (const line of error.stdout.split('\n').filter(Boolean)) {
    const at = Number(line.match(/^judged\.ts\((\d+),/)?.[1] ?? line.match(/judged\.ts\((\d+),/)?.[1]);
    const mark = marks.filter((start) => start <= at).pop();
    console.log(Number.isNaN(at) ? line : `${labels[mark]}: ${line}`);
  }
  process.exit(1);
}
console.log(`TypeScript types of the newest SDK: ${judged} requests and objects fit`);
