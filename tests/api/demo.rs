//! `kindred demo` and `kindred serve` as people start them: the built program, a data folder of its own, any free port.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kindred");
/// Starting makes a cluster the first time, on a machine that runs the other tests too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A data folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars() {
            if name.starts_with("KINDRED_") || name.starts_with("DATABASE_") || name.starts_with("STRIPE_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("KINDRED_DATA_DIR", &self.0)
            .env("KINDRED_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Where the cluster lies: elsewhere when the server's user can't enter the folder.
    fn cluster(&self) -> PathBuf {
        let elsewhere = std::fs::read_to_string(self.0.join("postgres.location")).ok();
        let home =
            elsewhere.map_or_else(|| self.0.join("postgres"), |text| text.lines().next().unwrap().into());
        home.join("cluster")
    }

    #[track_caller]
    fn no_server_runs(&self) {
        let left = self.cluster().join("postmaster.pid");
        assert!(!left.exists(), "PostgreSQL still runs");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let cluster = self.cluster();
        if let Ok(text) = std::fs::read_to_string(cluster.join("postmaster.pid")) {
            let pid = text.lines().next().unwrap_or_default();
            let _ = std::process::Command::new("sh").args(["-c", &format!("kill -QUIT {pid}")]).status();
        }
        if !cluster.starts_with(&self.0) {
            let _ = std::fs::remove_dir_all(cluster.parent().unwrap());
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that serves.
struct Running {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Running {
    async fn demo(folder: &Folder) -> Self {
        let mut child = folder.command(&["demo"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let Some(ready) = ready else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
            panic!("the demo didn't start: {said}");
        };
        let url = ready.strip_prefix("ready: ").unwrap().to_owned();
        Self { child, url, client: client() }
    }

    fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal and waits for an end in order.
    async fn end(mut self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        assert!(ended.expect("it doesn't end").unwrap().success());
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(self.client.get(format!("{}{path}", self.url))).await
    }

    async fn get_as(&self, token: &str, path: &str) -> (u16, Value) {
        self.call(self.client.get(format!("{}{path}", self.url)).bearer_auth(token)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(self.client.post(format!("{}{path}", self.url)).json(body)).await
    }

    async fn sign_in(&self, email: &str, password: &str) -> String {
        let (status, pair) = self.post("/v1/sessions", &json!({"email": email, "password": password})).await;
        assert_eq!(status, 201, "{pair}");
        pair["access_token"].as_str().unwrap().to_owned()
    }

    async fn advance(&self, by: &str) {
        let (status, answer) = self.post("/dev/clock", &json!({ "advance": by })).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Orders the plan of a drive; its id and the payment page.
    async fn order(&self, token: &str, tier: &str) -> (String, String) {
        let (_, drives) = self.get("/v1/drives").await;
        let drives = drives["data"].as_array().unwrap();
        let drive = drives.iter().find(|drive| drive["plan"]["tier"] == tier).unwrap();
        let request = self
            .client
            .post(format!("{}/v1/orders", self.url))
            .bearer_auth(token)
            .header("Idempotency-Key", uuid::Uuid::now_v7().to_string())
            .json(&json!({
                "lines": [{"plan": drive["plan"]["id"], "drive": drive["id"]}],
                "success_url": format!("{}/", self.url), "cancel_url": format!("{}/", self.url),
            }));
        let (status, order) = self.call(request).await;
        assert_eq!(status, 201, "{order}");
        let id = order["id"].as_str().unwrap().to_owned();
        let (_, order) = self.get_as(token, &format!("/v1/orders/{id}?wait=payment")).await;
        assert_eq!(order["payment"]["state"], "ready", "{order}");
        (id, order["payment"]["url"].as_str().unwrap().to_owned())
    }

    /// Sends one of the payment page's forms; where it leads to.
    async fn pay(&self, page: &str, action: &str) -> String {
        // The delay counts for late methods alone.
        let form = format!("action={action}&method=wechat_pay&delay=3600");
        let request = self.client.post(page).header("Content-Type", "application/x-www-form-urlencoded");
        let response = request.body(form).send().await.unwrap();
        let to = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        to.unwrap_or_else(|| response.status().to_string())
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(90))
        .build()
        .unwrap()
}

fn time(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn output(mut command: Command) -> (bool, String, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it doesn't end").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The commands of the first page, as they stand in its source.
fn commands(page: &str) -> String {
    let path = page.split("<div id=\"path\">").nth(1).unwrap().split("</div>\n\n<h2>").next().unwrap();
    let commands: Vec<_> = path
        .split("<code>")
        .skip(1)
        .map(|rest| rest.split("</code>").next().unwrap())
        .map(|text| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        .collect();
    commands.join("\n")
}

#[tokio::test]
async fn the_page_leads_from_sign_up_to_member_number() {
    let folder = Folder::new("demo-path");
    let demo = Running::demo(&folder).await;
    let (status, page) = demo.get("/").await;
    let page = page.as_str().unwrap();
    assert_eq!(status, 200);
    for said in [
        "/docs",
        "/dev/inbox",
        "owner@demo.test",
        "luoji-2013-regular",
        "<b>5000</b>",
        "<b>500</b>",
        "LJ0003",
    ] {
        assert!(page.contains(said), "{said} in {page}");
    }
    assert!(!page.contains("src=\"http"), "it must not need anything from elsewhere");
    let mut bash = Command::new("bash");
    bash.args(["-e", "-c", &commands(page)]);
    let (worked, said, wrong) = output(bash).await;
    assert!(worked, "{said}\n{wrong}");
    for expected in
        ["\n204\n", "ord_", "/dev/stripe/pay/", "\n303\n", "\nfulfilled\n", "\"number\":\"LJ0003\""]
    {
        assert!(said.contains(expected), "{expected:?} in {said}\n{wrong}");
    }
    assert_eq!(said.matches("\"subject\":").count(), 3, "verification, receipt and welcome: {said}");
    assert!(demo.get("/").await.1.as_str().unwrap().contains("<b>4999</b>"));
    let (status, inbox) = demo.get("/dev/inbox").await;
    assert!(status == 200 && inbox.as_str().unwrap().contains("LJ0003"));
    demo.end("TERM").await;
    folder.no_server_runs();
}

#[tokio::test]
async fn the_mall_sells_its_box_to_diehard_members_first() {
    let folder = Folder::new("demo-mall");
    let demo = Running::demo(&folder).await;
    let (_, product) = demo.get("/v1/products/book-box-2014").await;
    let (_, drop) = demo.get("/v1/drops/book-box-2014").await;
    let (_, methods) = demo.get("/v1/shipping-methods?country=cn").await;
    assert_eq!(product["variants"][0]["available"], 8_000);
    assert_eq!(drop["items"][0]["remaining"], 8_000);
    let address = json!({ "name": "罗小姐", "phone": "1", "country": "CN", "city": "北京", "line1": "1" });
    let body = json!({
        "lines": [{ "bundle": product["variants"][0]["bundle"], "drop": drop["id"] }],
        "shipping": { "method": methods["data"][0]["id"], "address": address },
        "success_url": format!("{}/", demo.url), "cancel_url": format!("{}/", demo.url),
    });
    let order = async |email: &str| {
        let token = demo.sign_in(email, "kindred-demo").await;
        let request = demo.client.post(format!("{}/v1/orders?wait=payment", demo.url)).bearer_auth(&token);
        let (status, order) = demo.call(request.header("Idempotency-Key", email).json(&body)).await;
        (status, order, token)
    };
    for (email, code) in [("visitor@demo.test", "members_only"), ("regular@demo.test", "not_open")] {
        assert_eq!(order(email).await.1["code"], code);
    }
    let (status, placed, token) = order("diehard@demo.test").await;
    assert_eq!((status, &placed["totals"]["due"]["amount"]), (201, &json!(49_900)));
    demo.pay(placed["payment"]["url"].as_str().unwrap(), "pay").await;
    let path = format!("/v1/orders/{}", placed["id"].as_str().unwrap());
    assert_eq!(demo.get_as(&token, &format!("{path}?wait=settled")).await.1["state"], "paid");
    let owner = demo.sign_in("owner@demo.test", "kindred-demo").await;
    let parcel =
        demo.client.post(format!("{}/v1/admin{}/shipments", demo.url, &path[3..])).bearer_auth(&owner);
    let parcel = parcel.header("Idempotency-Key", "parcel").json(&json!({ "carrier": "顺丰" }));
    assert_eq!(demo.call(parcel).await.0, 201);
    assert_eq!(demo.get_as(&token, &path).await.1["state"], "fulfilled");
    demo.advance("P1D").await;
    assert_eq!(order("regular@demo.test").await.0, 201);
    let (worked, said, wrong) = output(folder.command(&["check"])).await;
    assert!(worked, "{said}{wrong}");
    demo.end("TERM").await;
    folder.no_server_runs();
}

#[tokio::test]
async fn it_finds_its_data_again_and_time_can_be_moved() {
    let folder = Folder::new("demo-again");
    let demo = Running::demo(&folder).await;
    for (email, number, tier) in
        [("regular@demo.test", "LJ0001", "regular"), ("diehard@demo.test", "LJ0002", "diehard")]
    {
        let token = demo.sign_in(email, "kindred-demo").await;
        let (_, membership) = demo.get_as(&token, "/v1/me/membership").await;
        assert_eq!((&membership["number"], &membership["tier"]), (&json!(number), &json!(tier)));
    }
    let visitor = demo.sign_in("visitor@demo.test", "kindred-demo").await;
    assert_eq!(demo.get_as(&visitor, "/v1/me/membership").await.0, 404);
    let (order, page) = demo.order(&visitor, "diehard").await;
    demo.pay(&page, "fail").await;
    let (other, again) = (demo.get_as(&visitor, &format!("/v1/orders/{order}")).await.1, &page);
    assert_eq!(other["state"], "pending_payment");

    // A second one on the same folder says so and leaves the first alone.
    let (worked, said, wrong) = output(folder.command(&["demo"])).await;
    assert!(!worked && said.is_empty() && wrong.lines().count() == 1, "{said}{wrong}");

    demo.end("INT").await;
    folder.no_server_runs();
    let mut demo = Running::demo(&folder).await;
    // The page is at another port now; the path is the same.
    let moved =
        format!("{}{}", demo.url, again.split_once("/dev/").map(|(_, rest)| format!("/dev/{rest}")).unwrap());
    // Paid, and nobody is told: the hold's end finds out.
    assert!(demo.pay(&moved, "pay_unseen").await.ends_with('/'));
    demo.advance("PT1H").await;
    let visitor = demo.sign_in("visitor@demo.test", "kindred-demo").await;
    let (_, paid) = demo.get_as(&visitor, &format!("/v1/orders/{order}")).await;
    assert_eq!(paid["state"], "fulfilled", "{paid}");
    assert_eq!(demo.get_as(&visitor, "/v1/me/membership").await.1["number"], "LJ0003");

    demo.advance("P1Y").await;
    let visitor = demo.sign_in("visitor@demo.test", "kindred-demo").await;
    assert_eq!(demo.get_as(&visitor, "/v1/me/membership").await.1["state"], "grace");
    demo.advance("P8D").await;
    assert_eq!(demo.get("/v1/members/LJ0003").await.1["valid"], false);

    // The program dies and comes back: time, data and mails are where they were.
    let (_, clock) = demo.get("/dev/clock").await;
    let (_, mails) = demo.get("/dev/inbox.json").await;
    demo.child.kill().await.unwrap();
    let demo = Running::demo(&folder).await;
    assert!(demo.get("/dev/clock").await.1["now"].as_str().unwrap() >= clock["now"].as_str().unwrap());
    let (_, kept) = demo.get("/dev/inbox.json").await;
    assert_eq!(kept[0], mails[0]);
    assert!(kept[0]["to"].is_string() && kept[0]["sent_at"].is_string() && kept[0]["html"].is_string());

    // Commands attach to the database that runs, and leave it running.
    let (worked, report, wrong) = output(folder.command(&["check", "--json"])).await;
    assert!(worked, "{report}{wrong}");
    let file = folder.0.join("shop.backup");
    let (worked, _, wrong) = output(folder.command(&["backup", file.to_str().unwrap()])).await;
    assert!(worked && file.exists(), "{wrong}");
    assert_eq!(demo.get("/readyz").await.0, 200);
    demo.end("HUP").await;
    folder.no_server_runs();
    // And start it for their own time where none runs.
    let (worked, report, wrong) = output(folder.command(&["check"])).await;
    assert!(worked, "{report}{wrong}");
    folder.no_server_runs();
}

#[tokio::test]
async fn the_clock_goes_from_due_time_to_due_time_on_both_sides() {
    let folder = Folder::new("demo-clock");
    let demo = Running::demo(&folder).await;
    let visitor = demo.sign_in("visitor@demo.test", "kindred-demo").await;
    let (order, page) = demo.order(&visitor, "regular").await;
    demo.pay(&page, "pay_late").await;
    let before = time(&demo.get("/dev/clock").await.1["now"]);
    demo.advance("P1D").await;
    let visitor = demo.sign_in("visitor@demo.test", "kindred-demo").await;
    assert_eq!(demo.get_as(&visitor, &format!("/v1/orders/{order}")).await.1["state"], "fulfilled");
    // The money came after an hour, and then, not a day later, the membership began.
    let began = time(&demo.get_as(&visitor, "/v1/me/membership").await.1["starts_at"]);
    let waited = (began - before).num_minutes();
    assert!((55..=65).contains(&waited), "{waited} minutes");

    // What nobody pays ends by itself, and its place is there again.
    let (status, _) =
        demo.post("/v1/accounts", &json!({"email": "bo@demo.test", "password": "correct horse 7"})).await;
    assert_eq!(status, 201);
    let bo = demo.sign_in("bo@demo.test", "correct horse 7").await;
    let (order, _) = demo.order(&bo, "diehard").await;
    demo.advance("PT20M").await;
    let bo = demo.sign_in("bo@demo.test", "correct horse 7").await;
    assert_eq!(demo.get_as(&bo, &format!("/v1/orders/{order}")).await.1["state"], "expired");
    // At most a second old.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(demo.get("/v1/drives/luoji-2013-diehard").await.1["remaining"], 500);
    let (worked, report, wrong) = output(folder.command(&["check"])).await;
    assert!(worked, "{report}{wrong}");
    for nonsense in ["", "1Y", "P", "P-1D", "tomorrow", "P101Y"] {
        let (status, problem) = demo.post("/dev/clock", &json!({ "advance": nonsense })).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{nonsense}");
    }
    // Six hundred a minute are let in, and the simulator's own calls don't count.
    for _ in 0..200 {
        assert_eq!(demo.get("/v1/drives").await.0, 200);
    }
    demo.end("INT").await;
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line() {
    let folder = Folder::new("demo-refused");
    let cases: [(&[&str], &str, &str); 6] = [
        (&["demo"], "STRIPE_SECRET_KEY", "sk_live_secret"),
        (&["demo"], "KINDRED_LISTEN", "0.0.0.0:0"),
        (&["serve"], "KINDRED_TIMEZONE", "Mars/Olympus"),
        (&["serve"], "KINDRED_NONSENSE", "1"),
        (&["serve"], "STRIPE_SECRET_KEY", "sk_live_secret"),
        (&["migrate"], "DATABASE_URL", "mysql://here"),
    ];
    for (arguments, name, value) in cases {
        let mut command = folder.command(arguments);
        command.env(name, value);
        let (worked, said, wrong) = output(command).await;
        assert!(!worked && said.is_empty(), "{arguments:?} {name}: {said}");
        assert!(
            wrong.starts_with("kindred: ") && wrong.lines().count() == 1,
            "{arguments:?} {name}: {wrong}"
        );
        assert!(!wrong.contains("secret"), "{wrong}");
    }
    assert!(!folder.0.join("postgres").exists(), "nothing was made");
}

/// Reads standard error until the address is told; the rest is read on, so that the program never waits for us.
async fn address(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let Ok(line) = serde_json::from_str::<Value>(&line) else { panic!("not JSON: {line}") };
            if let Some(address) = line["fields"]["address"].as_str() {
                return address.to_owned();
            }
        }
        panic!("it ended")
    };
    let address = tokio::time::timeout(PATIENCE, told).await.expect("it doesn't start");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    address
}

#[tokio::test]
async fn serve_runs_without_stripe_and_has_nothing_of_the_demo() {
    let folder = Folder::new("serve");
    let mut child = folder.command(&["serve"]).spawn().unwrap();
    let url = format!("http://{}", address(&mut child).await);
    let shop = Running { child, url, client: client() };
    let (status, page) = shop.get("/").await;
    assert!(status == 200 && page.as_str().unwrap().contains("/docs"), "{page}");
    for path in ["/dev/inbox", "/dev/inbox.json", "/dev/clock", "/dev/stripe/_sim/book"] {
        assert_eq!(shop.get(path).await.0, 404, "{path}");
    }
    assert_eq!(shop.post("/dev/clock", &json!({"advance": "P1Y"})).await.0, 404);
    let mut operator = folder.command(&["operator", "create", "--email", "o@shop.test", "--role", "owner"]);
    operator.env("OPERATOR_PASSWORD", "correct horse battery");
    let (worked, said, wrong) = output(operator).await;
    assert!(worked && said.contains("acc_"), "{said}{wrong}");
    shop.sign_in("o@shop.test", "correct horse battery").await;
    shop.end("TERM").await;
    folder.no_server_runs();
}
