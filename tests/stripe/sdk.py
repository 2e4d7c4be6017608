"""Stripe's official Python SDK against the simulator. Each check fails loudly; the last line counts them.

Environment: SIM_URL, SIM_KEY, SIM_SECRET (of the webhooks), HOOKS_URL (GET lists the webhooks that arrived).
"""

import json
import os
import time
import urllib.parse
import urllib.request

import stripe

URL, KEY, SECRET, HOOKS = (os.environ[name] for name in ("SIM_URL", "SIM_KEY", "SIM_SECRET", "HOOKS_URL"))


def client(key=KEY):
    return stripe.StripeClient(key, base_addresses={"api": URL}, max_network_retries=0)


sdk = client().v1
checks = 0


def check(what, fact):
    global checks
    checks += 1
    assert fact, what


def refused(kind, call, **facts):
    """The call raises exactly this class, with these attributes."""
    try:
        call()
    except stripe.StripeError as error:
        check(f"{type(error).__name__} instead of {kind.__name__}: {error}", type(error) is kind)
        for name, fact in facts.items():
            check(f"{name} is {getattr(error, name)!r}, not {fact!r}", getattr(error, name) == fact)
        return error
    raise AssertionError(f"expected {kind.__name__}")


def post(url, body, kind="application/x-www-form-urlencoded"):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    request = urllib.request.Request(url, body.encode(), {"content-type": kind})
    try:
        return urllib.request.build_opener(Stay, urllib.request.ProxyHandler({})).open(request).status
    except urllib.error.HTTPError as error:
        return error.code


def act(session, **form):
    return post(session.url, urllib.parse.urlencode(form))


def fault(**fields):
    check("the fault is queued", post(f"{URL}/_sim/faults", json.dumps(fields), "application/json") == 200)


def params(**more):
    return {
        "mode": "payment",
        "success_url": "https://shop.test/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/back",
        "line_items": [
            {
                "quantity": 2,
                "price_data": {"currency": "cny", "unit_amount": 20000, "product_data": {"name": "铁杆会员"}},
            }
        ],
        "payment_method_options": {"wechat_pay": {"client": "web"}},
        "payment_intent_data": {"metadata": {"order_id": "ord_py"}},
        "metadata": {"order_id": "ord_py"},
        "expires_at": int(time.time()) + 45 * 60,
        **more,
    }


# Create, retrieve with expansion, line items, expire.
session = sdk.checkout.sessions.create(params(), {"idempotency_key": "py-create-1"})
check("created", session.object == "checkout.session" and session.status == "open")
check("amount", session.amount_total == 40000 and session.payment_status == "unpaid")
check("no intent before payment", session.payment_intent is None)
again = sdk.checkout.sessions.create(params(expires_at=session.expires_at), {"idempotency_key": "py-create-1"})
check("replayed", again.id == session.id and again.last_response.headers["Idempotent-Replayed"] == "true")
check("request id", again.last_response.request_id.startswith("req_"))
items = sdk.checkout.sessions.line_items.list(session.id, {"limit": 5})
check("line items", items.data[0].description == "铁杆会员" and items.data[0].amount_total == 40000)
check("paid on the page", act(session, action="pay", method="card", fingerprint="fp_py") == 303)
paid = sdk.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge", "line_items"]})
charge = paid.payment_intent.latest_charge
check("paid", paid.payment_status == "paid" and paid.status == "complete" and paid.url is None)
check("expanded", charge.payment_method_details.card.fingerprint == "fp_py" and charge.metadata["order_id"] == "ord_py")
check("included", paid.line_items.data[0].quantity == 2)
check("intent", sdk.payment_intents.retrieve(paid.payment_intent.id).amount_received == 40000)
check("charge", sdk.charges.retrieve(charge.id, {"expand": ["refunds"]}).refunds.data == [])
open_session = sdk.checkout.sessions.create(params())
check("expired", sdk.checkout.sessions.expire(open_session.id).status == "expired")
refused(stripe.InvalidRequestError, lambda: sdk.checkout.sessions.expire(open_session.id), http_status=400)
refused(
    stripe.InvalidRequestError,
    lambda: sdk.checkout.sessions.retrieve("cs_test_none"),
    http_status=404,
    code="resource_missing",
)

# Customer and saved card.
customer = sdk.customers.create({"email": "py@shop.test", "name": "罗胖", "metadata": {"account_id": "acc_py"}})
check("customer", sdk.customers.retrieve(customer.id).email == "py@shop.test")
options = {"card": {"setup_future_usage": "off_session"}, "wechat_pay": {"client": "web"}}
saving = sdk.checkout.sessions.create(params(customer=customer.id, payment_method_options=options))
check("saved", act(saving, action="pay", method="card") == 303)
saved = sdk.checkout.sessions.retrieve(saving.id, {"expand": ["payment_intent.payment_method", "customer"]})
check("attached", saved.payment_intent.payment_method.customer == customer.id == saved.customer.id)
check("consented", saved.payment_intent.setup_future_usage == "off_session")

# The card's owner is away: charged, refused in each way, ended, listed; the portal.
pm = saved.payment_intent.payment_method.id


def card(**fields):
    check("the card is told", post(f"{URL}/_sim/cards/{pm}", json.dumps(fields), "application/json") == 204)


def charge_params(**more):
    return {
        "amount": 120000,
        "currency": "cny",
        "customer": customer.id,
        "payment_method": pm,
        "allowed_payment_method_types": ["card"],
        "off_session": True,
        "confirm": True,
        "expand": ["latest_charge"],
        "metadata": {"order_id": "ord_py", "payment_id": "pay_py"},
        **more,
    }


def charged(**more):
    return sdk.payment_intents.create(charge_params(**more))


off = sdk.payment_intents.create(charge_params(), {"idempotency_key": "py-off-1"})
check("charged", off.status == "succeeded" and off.amount_received == 120000)
check("its charge", off.latest_charge.paid and off.latest_charge.metadata["payment_id"] == "pay_py")
same = sdk.payment_intents.create(charge_params(), {"idempotency_key": "py-off-1"})
check("charged once", same.id == off.id and same.last_response.headers["Idempotent-Replayed"] == "true")
for behaviour, code, decline_code in [
    ("decline", "card_declined", "generic_decline"),
    ("insufficient_funds", "card_declined", "insufficient_funds"),
    ("expired_card", "expired_card", None),
    ("authentication_required", "authentication_required", "authentication_required"),
    ("processing_error", "processing_error", None),
]:
    card(behaviour=behaviour, times=1)
    error = refused(stripe.CardError, charged, http_status=402, code=code)
    left = error.error.payment_intent
    check("decline code", getattr(error.error, "decline_code", None) == decline_code)
    check("left behind", left["status"] == "requires_payment_method" and left["last_payment_error"]["code"] == code)
    check("its card", left["last_payment_error"]["payment_method"]["id"] == pm and left["payment_method"] is None)
    check("its failed charge", sdk.charges.retrieve(error.error.charge).failure_code == code)
card(behaviour="decline", times=1)
twice = [
    refused(stripe.CardError, lambda: sdk.payment_intents.create(charge_params(), {"idempotency_key": "py-off-2"}))
    for _ in range(2)
]
check("a refusal is replayed", twice[0].error.payment_intent["id"] == twice[1].error.payment_intent["id"])
left = twice[0].error.payment_intent["id"]
check("ended", sdk.payment_intents.cancel(left, {"cancellation_reason": "abandoned"}).status == "canceled")
refused(stripe.InvalidRequestError, lambda: sdk.payment_intents.cancel(off.id), code="payment_intent_unexpected_state")
his = sdk.payment_intents.list({"customer": customer.id, "limit": 2, "created": {"gte": off.created - 60}})
check("his intents", his.data[0].id == left and len([one.id for one in his.auto_paging_iter()]) == 8)
card(exp_month=1, exp_year=2020)
refused(stripe.CardError, charged, code="expired_card")
card(exp_month=11, exp_year=2040)
found = sdk.customers.payment_methods.list(customer.id, {"type": "card"})
check("his cards", [(one.id, one.card.exp_year) for one in found] == [(pm, 2040)])
check("by parameter", sdk.payment_methods.list({"customer": customer.id}).data[0].id == pm)
default = {"invoice_settings": {"default_payment_method": pm}}
check("default", sdk.customers.update(customer.id, default).invoice_settings.default_payment_method == pm)
portal = sdk.billing_portal.sessions.create({"customer": customer.id, "return_url": "https://shop.test/me"})
check("portal", portal.object == "billing_portal.session" and portal.url.startswith(URL))
check("added", post(portal.url, "action=add&last4=0005") == 303)
check("newest first", [one.card.last4 for one in sdk.customers.payment_methods.list(customer.id)] == ["0005", "4242"])
check("detached", sdk.payment_methods.detach(pm).customer is None and sdk.payment_methods.retrieve(pm).customer is None)
refused(stripe.InvalidRequestError, charged, http_status=400)
check("no default", sdk.customers.retrieve(customer.id).invoice_settings.default_payment_method is None)
check("deleted", sdk.customers.delete(customer.id).deleted and sdk.customers.retrieve(customer.id).deleted)
refused(stripe.InvalidRequestError, charged, code="resource_missing", param="customer")
refused(
    stripe.InvalidRequestError,
    lambda: charged(payment_method_types=["card"]),
    code="parameter_unknown",
    param="payment_method_types",
)

# Refunds: part, too much, the rest, nothing left; a wallet's is pending.
intent = paid.payment_intent.id
part = sdk.refunds.create({"payment_intent": intent, "amount": 1000, "reason": "requested_by_customer"})
check("refunded", part.status == "succeeded" and sdk.refunds.retrieve(part.id, {"expand": ["charge"]}).charge.amount_refunded == 1000)
refused(stripe.InvalidRequestError, lambda: sdk.refunds.create({"payment_intent": intent, "amount": 39001}), param="amount")
sdk.refunds.create({"payment_intent": intent})
refused(
    stripe.InvalidRequestError,
    lambda: sdk.refunds.create({"payment_intent": intent}),
    code="charge_already_refunded",
)
check("list", [one.amount for one in sdk.refunds.list({"payment_intent": intent})] == [39000, 1000])
wallet = sdk.checkout.sessions.create(params(allowed_payment_method_types=["wechat_pay"]))
check("filtered", wallet.payment_method_types == ["wechat_pay"])
check("wallet", act(wallet, action="pay") == 303)
wallet = sdk.checkout.sessions.retrieve(wallet.id)
check("pending", sdk.refunds.create({"payment_intent": wallet.payment_intent}).status == "pending")

# Lists page by themselves.
made = [sdk.checkout.sessions.create(params()).id for _ in range(12)]
listed = [one.id for one in sdk.checkout.sessions.list({"limit": 5}).auto_paging_iter()]
check("newest first", listed[:12] == made[::-1])
check("each once", len(listed) == len(set(listed)) and session.id in listed)
recent = sdk.checkout.sessions.list({"created": {"gte": int(time.time()) + 60}})
check("none from the future", recent.data == [] and recent.has_more is False)
check("by intent", [one.id for one in sdk.checkout.sessions.list({"payment_intent": intent})] == [session.id])
kinds = {one.type for one in sdk.events.list({"limit": 100, "types": ["refund.created", "charge.refunded"]})}
check("events by type", kinds == {"refund.created", "charge.refunded"})
event = sdk.events.list({"limit": 1, "type": "customer.created"}).data[0]
check("event", sdk.events.retrieve(event.id).data.object["id"] == customer.id)
check("disputes", sdk.disputes.list({"payment_intent": intent}).data == [])

# Errors by the SDK's classes.
refused(stripe.AuthenticationError, lambda: client("sk_test_wrong").v1.refunds.list(), http_status=401)
refused(
    stripe.InvalidRequestError,
    lambda: sdk.checkout.sessions.create(params(payment_method_types=["card"])),
    http_status=400,
    code="parameter_unknown",
    param="payment_method_types",
)
refused(
    stripe.IdempotencyError,
    lambda: sdk.checkout.sessions.create(params(locale="zh"), {"idempotency_key": "py-create-1"}),
    http_status=400,
)
for status, kind in [
    (402, stripe.CardError),
    (409, stripe.InvalidRequestError),
    (429, stripe.RateLimitError),
    (500, stripe.APIError),
    (503, stripe.APIError),
]:
    fault(operation="create_checkout", kind="status", status=status)
    error = None
    try:
        sdk.checkout.sessions.create(params())
    except stripe.StripeError as caught:
        error = caught
    check(f"{status} as {type(error).__name__}", error is not None and error.http_status == status)
    check(f"{status} as {type(error).__name__}", type(error) in (kind, stripe.APIError))
fault(operation="create_checkout", kind="bad_gateway")
refused(stripe.APIError, lambda: sdk.checkout.sessions.create(params()), http_status=502)
fault(operation="create_checkout", kind="answer_lost")
refused(stripe.APIConnectionError, lambda: sdk.checkout.sessions.create(params(), {"idempotency_key": "py-lost"}))
found = sdk.checkout.sessions.create(params(expires_at=made and int(time.time()) + 45 * 60), {"idempotency_key": "py-new"})
check("a new key makes a new one", found.id not in made)

# Webhooks that really arrived.
deadline = time.time() + 10
arrived = []
while time.time() < deadline:
    arrived = json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(HOOKS))
    ids = [json.loads(one["body"])["data"]["object"].get("id") for one in arrived]
    if session.id in ids and part.id in ids:
        break
    time.sleep(0.05)
events = [client().construct_event(one["body"], one["signature"], SECRET) for one in arrived]
check("completed", any(e.type == "checkout.session.completed" and e.data.object["id"] == session.id for e in events))
check("version", all(e.api_version == "2026-09-30.endive" for e in events))
try:
    client().construct_event(arrived[0]["body"] + " ", arrived[0]["signature"], SECRET)
    raise AssertionError("a changed body passes")
except stripe.SignatureVerificationError:
    check("a changed body fails", True)

print(f"Python SDK {stripe.VERSION}: {checks} checks passed")
