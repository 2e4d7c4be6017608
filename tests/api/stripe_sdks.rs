//! The Stripe simulator judged by what isn't ours: `tests/stripe/run.sh` installs the tools and runs this.
//!
//! Here kindred's adapter makes its calls, so that its requests are judged too; then Stripe's SDKs drive the simulator;
//! then all recorded requests and many objects go to Stripe's description, its examples and the SDK's types.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::TimeDelta;
use kindred::dev::stripe::{Running, Settings, Simulator};
use kindred::ports::clock::{Clock, machine_now};
use kindred_stripe::{Config, Method, NewCharge, NewCheckout, NewCustomer, NewRefund, RefundReason, Stripe};
use serde_json::{Value, json};

const KEY: &str = "sk_test_simulated";
const SECRET: &str = "whsec_simulated";

type Deliveries = web::Data<Arc<Mutex<Vec<Value>>>>;

async fn take(request: HttpRequest, body: web::Bytes, deliveries: Deliveries) -> HttpResponse {
    let signature = request.headers().get("stripe-signature").unwrap().to_str().unwrap();
    let delivery = json!({ "signature": signature, "body": std::str::from_utf8(&body).unwrap() });
    deliveries.lock().unwrap().push(delivery);
    HttpResponse::Ok().finish()
}

async fn list(deliveries: Deliveries) -> HttpResponse {
    HttpResponse::Ok().json(&*deliveries.lock().unwrap())
}

/// kindred's verifier, for the SDK's test header.
async fn verify(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let signature = request.headers().get("stripe-signature").unwrap().to_str().unwrap();
    match kindred_stripe::webhook::verify(&body, signature, &[SECRET], machine_now().timestamp(), 300) {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}

/// On a thread of its own: the tools are waited for without letting the server stand still.
fn serve_hooks() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let deliveries: Deliveries = web::Data::new(Arc::default());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(deliveries.clone())
                .route("/hooks", web::post().to(take))
                .route("/hooks", web::get().to(list))
                .route("/verify", web::post().to(verify))
        });
        actix_web::rt::System::new()
            .block_on(server.workers(1).disable_signals().listen(listener).unwrap().run())
    });
    address
}

struct Proofs {
    sim: Running,
    hooks: SocketAddr,
    tools: PathBuf,
    work: PathBuf,
}

impl Proofs {
    fn start() -> Option<Self> {
        let Some(tools) = std::env::var_os("KINDRED_STRIPE_PROOFS").map(PathBuf::from) else {
            println!("stripe proofs: skipped (run tests/stripe/run.sh)");
            return None;
        };
        let hooks = serve_hooks();
        let mut settings = Settings::new(Clock::real(), KEY);
        settings.webhook_url = Some(format!("http://{hooks}/hooks"));
        settings.webhook_secrets = vec![SECRET.to_owned()];
        let sim = Simulator::listen(settings, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        sim.simulator.set_refund_delay(TimeDelta::minutes(10));
        Some(Self { sim, hooks, work: tools.clone(), tools })
    }

    fn installed(&self, tool: &str) -> bool {
        let installed = self.tools.join(format!("{tool}.stamp")).exists();
        if !installed {
            println!("stripe proofs: {tool}: skipped (not installed)");
        }
        installed
    }

    fn run(&self, program: &Path, arguments: &[&Path]) {
        let status = Command::new(program)
            .args(arguments)
            .env("SIM_URL", &self.sim.url)
            .env("SIM_KEY", KEY)
            .env("SIM_SECRET", SECRET)
            .env("HOOKS_URL", format!("http://{}/hooks", self.hooks))
            .env("VERIFY_URL", format!("http://{}/verify", self.hooks))
            .env("NODE_TOOLS", self.tools.join("node"))
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .status()
            .unwrap();
        assert!(status.success(), "{} {arguments:?} failed", program.display());
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stripe").join(name)
}

/// The buyer on the hosted page.
async fn act(url: &str, form: &str) {
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form.to_owned()).send().await.unwrap();
    assert!(matches!(answer.status().as_u16(), 200 | 303), "{form}");
}

/// Every kind of call that kindred makes, with every option.
async fn drive(proofs: &Proofs) {
    let stripe = Stripe::new(Config {
        secret_key: KEY.to_owned(),
        base_url: Some(proofs.sim.url.clone()),
        timeout: Duration::from_secs(5),
        rate_per_second: 1_000,
    })
    .unwrap();
    let person = NewCustomer {
        account_id: "acc_1".to_owned(),
        email: Some("buyer@shop.test".to_owned()),
        name: Some("罗胖".to_owned()),
    };
    let customer = stripe.create_customer("customer:1", &person).await.unwrap();
    let base = NewCheckout {
        order_id: "ord_1".to_owned(),
        payment_id: "pay_1".to_owned(),
        order_number: "K-0001".to_owned(),
        amount_minor: 120_000,
        currency: "CNY".to_owned(),
        description: "铁杆会员".to_owned(),
        methods: Vec::new(),
        success_url: "https://shop.test/done?session={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "https://shop.test/back".to_owned(),
        expires_at: (machine_now() + TimeDelta::minutes(45)).timestamp(),
        customer: None,
        customer_email: Some("buyer@shop.test".to_owned()),
        save_card: false,
        locale: Some("zh-CN".to_owned()),
    };
    let saving = NewCheckout {
        customer: Some(customer.clone()),
        customer_email: None,
        save_card: true,
        methods: vec![Method::Card, Method::WechatPay],
        ..base.clone()
    };
    let stranger = NewCheckout { customer_email: None, save_card: true, locale: None, ..base.clone() };
    let wechat = NewCheckout { methods: vec![Method::WechatPay], ..base.clone() };
    let endings = [
        (&base, "action=pay&method=card&email=other@shop.test"),
        (&saving, "action=pay&method=card"),
        (&stranger, "action=pay&method=card"),
        (&wechat, "action=pay"),
        (&base, "action=pay&method=alipay"),
        (&base, "action=pay_late&method=alipay"),
        (&base, "action=fail&method=card"),
        (&base, "action=fail&method=wechat_pay"),
    ];
    for (at, (new, form)) in endings.into_iter().enumerate() {
        let made = stripe.create_checkout(&format!("checkout:{at}"), new).await.unwrap();
        act(made.url.as_deref().unwrap(), form).await;
        let now = stripe.checkout(&made.id).await.unwrap();
        let intent = now.payment_intent.unwrap();
        if form.contains("action=pay&") || form == "action=pay" {
            let refund = NewRefund {
                payment_intent: intent.clone(),
                amount_minor: 1_000,
                refund_id: format!("ref_{at}"),
                order_id: "ord_1".to_owned(),
                reason: [None, Some(RefundReason::RequestedByCustomer), Some(RefundReason::Fraudulent)]
                    [at % 3],
            };
            let refund = stripe.create_refund(&format!("refund:{at}"), &refund).await.unwrap();
            stripe.refund(&refund.id).await.unwrap();
        }
        if at == 0 {
            stripe.refunds_of(&intent).await.unwrap();
        }
        if at == 1 {
            let dispute = proofs.sim.simulator.open_dispute(&intent, "fraudulent").unwrap();
            stripe.dispute(&dispute).await.unwrap();
            stripe.disputes_of(&intent).await.unwrap();
        }
    }
    charge_cards(proofs, &stripe, &customer).await;
    let expiring = stripe.create_checkout("checkout:last", &base).await.unwrap();
    stripe.expire_checkout("expire:last", &expiring.id).await.unwrap();
    stripe.create_checkout("checkout:open", &base).await.unwrap();
    let page = stripe.checkouts(0, None).await.unwrap();
    stripe.checkouts(0, page.data.first().map(|one| one.id.as_str())).await.unwrap();
    let events = stripe.events(0, None, false).await.unwrap();
    stripe.events(0, events.data.first().map(|one| one.id.as_str()), true).await.unwrap();
}

/// The card that the customer has saved, charged with every ending; his cards, and the page on which he looks after them.
async fn charge_cards(proofs: &Proofs, stripe: &Stripe, customer: &str) {
    let card = stripe.cards_of(customer).await.unwrap().remove(0);
    let endings = [
        "ok",
        "decline",
        "insufficient_funds",
        "expired_card",
        "authentication_required",
        "processing_error",
    ];
    for ending in endings {
        proofs.sim.simulator.set_card(&card.id, ending, Some(1)).unwrap();
        let new = NewCharge {
            order_id: "ord_2".to_owned(),
            payment_id: format!("pay_{ending}"),
            order_number: "K-0002".to_owned(),
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            description: "铁杆会员".to_owned(),
            customer: customer.to_owned(),
            payment_method: card.id.clone(),
        };
        let intent = stripe.charge_saved_card(&format!("renewal:{ending}"), &new).await.unwrap();
        assert_eq!(intent.failure_code.is_none(), ending == "ok");
        if ending == "decline" {
            stripe.cancel_intent("cancel:1", &intent.id).await.unwrap();
        }
    }
    let known = stripe.intents_of(customer, 0).await.unwrap();
    assert!(known.len() > endings.len(), "the page's intent is among them");
    let url =
        stripe.create_portal("portal:1", customer, "https://shop.test/me", Some("zh-CN")).await.unwrap();
    act(&url, "action=add&last4=0005&exp_month=3&exp_year=2031").await;
    act(&url, &format!("action=default&card={}", card.id)).await;
    act(&url, &format!("action=remove&card={}", stripe.cards_of(customer).await.unwrap()[0].id)).await;
    stripe.create_portal("portal:2", customer, "https://shop.test/me", None).await.unwrap();
}

/// The objects of every kind as the simulator shows them, without repeats of the same state.
async fn objects(proofs: &Proofs) -> Vec<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| -> Value {
        let request = http.get(format!("{}/v1/{path}", proofs.sim.url)).bearer_auth(KEY);
        request.send().await.unwrap().json().await.unwrap()
    };
    let mut objects = Vec::new();
    let sessions = get("checkout/sessions?limit=100").await;
    for session in sessions["data"].as_array().unwrap() {
        let id = session["id"].as_str().unwrap();
        objects.push(get(&format!("checkout/sessions/{id}")).await);
        let path =
            format!("checkout/sessions/{id}?expand[]=payment_intent.latest_charge.refunds&expand[]=customer");
        let mut expanded = get(&format!("{path}&expand[]=payment_intent.payment_method")).await;
        objects.push(get(&format!("checkout/sessions/{id}/line_items")).await["data"][0].take());
        let parts = [
            "/payment_intent/payment_method",
            "/payment_intent/latest_charge",
            "/payment_intent",
            "/customer",
        ];
        for part in parts {
            if let Some(object) = expanded.pointer_mut(part).filter(|object| object.is_object()) {
                objects.push(object.take());
            }
        }
    }
    let customers = get("events?limit=100&type=customer.created").await;
    for customer in customers["data"].as_array().unwrap() {
        let id = customer["data"]["object"]["id"].as_str().unwrap();
        objects.push(get(&format!("customers/{id}")).await);
        let cards = get(&format!("payment_methods?customer={id}&expand[]=data.customer")).await;
        objects.extend(cards["data"].as_array().unwrap().iter().cloned());
        let form = [("customer", id), ("return_url", "https://shop.test/me"), ("locale", "zh")];
        let request = http.post(format!("{}/v1/billing_portal/sessions", proofs.sim.url)).bearer_auth(KEY);
        objects.push(request.form(&form).send().await.unwrap().json().await.unwrap());
    }
    let intents = get("payment_intents?limit=100&expand[]=data.latest_charge").await;
    for intent in intents["data"].as_array().unwrap() {
        objects.extend(Some(intent["latest_charge"].clone()).filter(Value::is_object));
        objects.push(get(&format!("payment_intents/{}", intent["id"].as_str().unwrap())).await);
    }
    for list in ["refunds?limit=100", "disputes?limit=100"] {
        objects.extend(get(list).await["data"].as_array().unwrap().iter().cloned());
    }
    let events = get("events?limit=100").await;
    let events = events["data"].as_array().unwrap();
    objects.extend(events.iter().map(|event| event["data"]["object"].clone()));
    objects.extend(events.iter().cloned());
    objects
}

#[actix_web::test]
#[ignore = "run by tests/stripe/run.sh, which installs the SDKs"]
async fn stripes_own_tools_find_nothing_wrong() {
    let Some(proofs) = Proofs::start() else { return };
    drive(&proofs).await;
    let recorded: Vec<String> =
        proofs.sim.simulator.requests().iter().map(|call| serde_json::to_string(call).unwrap()).collect();
    let (requests, shown) = (proofs.work.join("requests.jsonl"), proofs.work.join("objects.json"));
    std::fs::write(&requests, recorded.join("\n")).unwrap();
    std::fs::write(&shown, serde_json::to_vec_pretty(&objects(&proofs).await).unwrap()).unwrap();

    let python = proofs.tools.join("python/bin/python");
    if proofs.installed("python") {
        proofs.run(&python, &[&script("sdk.py")]);
        let openapi = std::env::var_os("STRIPE_OPENAPI_DIR").map(PathBuf::from);
        let folder = openapi.unwrap_or_else(|| proofs.tools.join("openapi"));
        proofs.run(&python, &[&script("judge.py"), &folder, &requests, &shown]);
    }
    if proofs.installed("node") {
        proofs.run(Path::new("node"), &[&script("sdk.mjs")]);
        proofs.run(Path::new("node"), &[&script("types.mjs"), &requests, &shown]);
    }
}
