//! The OpenAPI 3.1 document: put together from the rooms, finished here, served, printed by `kindred openapi`, and kept
//! in `api-spec/` by a test.
//!
//! A room declares its handlers beside them: `#[derive(OpenApi)] #[openapi(paths(list, create))] pub struct Api;`, and
//! has one line in [`ROOMS`]. A test fails where a route is missing here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, get, web};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use super::{docs, health, pages};
use crate::checkout;
use crate::error::Code;
use crate::jobs;
use crate::loyalty;
use crate::membership;
use crate::messages::{lists, mails, notices};
use crate::people;
use crate::promotion;
use crate::shop;

/// Every room's part of the document, wing by wing.
const ROOMS: &[fn() -> Document] = &[
    // platform
    health::Api::openapi,
    Api::openapi,
    docs::Api::openapi,
    pages::Api::openapi,
    // people
    people::accounts::routes::Api::openapi,
    people::verifications::routes::Api::openapi,
    people::resets::routes::Api::openapi,
    people::personal_data::routes::Api::openapi,
    people::addresses::routes::Api::openapi,
    people::sessions::routes::Api::openapi,
    people::tokens::routes::Api::openapi,
    people::terms::routes::Api::openapi,
    people::operators::routes::Api::openapi,
    people::segments::routes::Api::openapi,
    people::api_keys::routes::Api::openapi,
    people::audit_trail::routes::Api::openapi,
    // membership
    membership::catalog::routes::Api::openapi,
    membership::tiers::routes::Api::openapi,
    membership::plans::routes::Api::openapi,
    membership::areas::routes::Api::openapi,
    membership::chapters::routes::Api::openapi,
    membership::community::routes::Api::openapi,
    membership::measures::routes::Api::openapi,
    membership::measures::admin_routes::Api::openapi,
    membership::moves::routes::Api::openapi,
    membership::number_series::routes::Api::openapi,
    membership::organisers::routes::Api::openapi,
    membership::organisers::admin_routes::Api::openapi,
    membership::drives::routes::Api::openapi,
    membership::invitations::routes::Api::openapi,
    membership::applications::routes::Api::openapi,
    membership::memberships::routes::Api::openapi,
    membership::memberships::admin_routes::Api::openapi,
    membership::renewals::routes::Api::openapi,
    checkout::renewals::routes::Api::openapi,
    checkout::portal::routes::Api::openapi,
    membership::associates::routes::Api::openapi,
    membership::associates::admin_routes::Api::openapi,
    membership::freezes::routes::Api::openapi,
    membership::benefits::routes::Api::openapi,
    membership::benefits::admin_routes::Api::openapi,
    promotion::perks::routes::Api::openapi,
    membership::trials::routes::Api::openapi,
    // shop
    shop::products::routes::Api::openapi,
    shop::products::admin_routes::Api::openapi,
    shop::products::import::routes::Api::openapi,
    shop::variants::routes::Api::openapi,
    promotion::campaigns::routes::Api::openapi,
    promotion::coupons::routes::Api::openapi,
    promotion::giveouts::routes::Api::openapi,
    promotion::repeat_cards::routes::Api::openapi,
    promotion::games::routes::Api::openapi,
    promotion::mailings::routes::Api::openapi,
    promotion::occasions::routes::Api::openapi,
    promotion::packets::routes::Api::openapi,
    promotion::invites::routes::Api::openapi,
    promotion::partners::routes::Api::openapi,
    promotion::partners::commission_routes::Api::openapi,
    promotion::referrals::routes::Api::openapi,
    promotion::referrals::admin_routes::Api::openapi,
    promotion::treats::routes::Api::openapi,
    shop::offers::routes::Api::openapi,
    shop::reminders::routes::Api::openapi,
    shop::stock::routes::Api::openapi,
    shop::drops::routes::Api::openapi,
    shop::drops::admin_routes::Api::openapi,
    shop::crowdfunding::routes::Api::openapi,
    shop::channels::routes::Api::openapi,
    shop::shipping::routes::Api::openapi,
    shop::rights::routes::Api::openapi,
    shop::waiting_list::routes::Api::openapi,
    shop::live::routes::Api::openapi,
    // checkout
    checkout::baskets::routes::Api::openapi,
    checkout::orders::routes::Api::openapi,
    checkout::payments::routes::Api::openapi,
    checkout::credit::routes::Api::openapi,
    checkout::gift_cards::routes::Api::openapi,
    checkout::gift_cards::admin_routes::Api::openapi,
    checkout::gifts::routes::Api::openapi,
    checkout::gifts::admin_routes::Api::openapi,
    checkout::refunds::routes::Api::openapi,
    checkout::reports::routes::Api::openapi,
    checkout::returns::routes::Api::openapi,
    checkout::returns::admin_routes::Api::openapi,
    checkout::shipments::routes::Api::openapi,
    checkout::shipments::import_routes::Api::openapi,
    checkout::pick_lists::routes::Api::openapi,
    checkout::invited::routes::Api::openapi,
    checkout::invoices::routes::Api::openapi,
    checkout::withdrawals::routes::Api::openapi,
    // loyalty
    loyalty::check_ins::routes::Api::openapi,
    loyalty::offers::routes::Api::openapi,
    loyalty::offers::admin_routes::Api::openapi,
    loyalty::points::routes::Api::openapi,
    loyalty::points::admin_routes::Api::openapi,
    loyalty::levels::routes::Api::openapi,
    loyalty::levels::admin_routes::Api::openapi,
    loyalty::ladder::admin_routes::Api::openapi,
    // messages and jobs
    mails::routes::Api::openapi,
    lists::routes::Api::openapi,
    notices::routes::Api::openapi,
    jobs::routes::Api::openapi,
];

const DESCRIPTION: &str = "The backend of a membership shop. Money is in minor units of its currency, times are RFC 3339 \
    in UTC, lists come in pages (`limit`, `cursor`). Each refusal is a problem (RFC 9457) with a stable `code`. Calls that \
    move money or claims need an `Idempotency-Key`: repeat a call with its key after a lost answer.";

/// In the order in which the page shows them; those of operators, one a resource, come after them.
const TAGS: &[(&str, &str)] = &[
    ("accounts", "Sign up, verify, reset, and one's own account."),
    ("sessions", "Sign in and out; keys of the access tokens."),
    ("tiers", "What is sold: tiers and their plans."),
    ("chapters", "Local groups: which there are, choosing one, organising one."),
    ("drives", "Recruitment drives: a plan sold in a window, to a quota."),
    ("products", "Goods, digital goods, bundles, and how they are sent."),
    ("drops", "Limited sales: variants in a window, for audiences, with F-codes."),
    ("access", "What one may open."),
    ("invites", "One's own invite code, and whom one brought."),
    ("baskets", "What one means to buy, signed in or as a guest."),
    ("orders", "Quotes, orders and their payment."),
    ("payments", "What Stripe tells."),
    ("memberships", "One's own membership; the public check of a number."),
    ("platform", "Health, metrics, this description."),
    ("pages", "Where the links of mails lead to without a storefront."),
];

#[derive(OpenApi)]
#[openapi(paths(openapi_json), components(schemas(super::problem::Problem, crate::error::FieldError)))]
struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(openapi_json);
}

/// This description
#[utoipa::path(tag = "platform", responses((status = 200, body = Object)))]
#[get("/openapi.json")]
async fn openapi_json() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text())
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| finish(merged().0));
static TEXT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default() + "\n");

/// The document as it is served, ending in a line break.
pub fn text() -> &'static str {
    &TEXT
}

/// The same, to look into.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Names of schemas that two rooms use for different things: must be empty.
pub fn clashes() -> BTreeSet<String> {
    merged().1
}

fn merged() -> (Value, BTreeSet<String>) {
    let mut whole = Document::default();
    let mut clashes = BTreeSet::new();
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for room in ROOMS {
        let part = room();
        let schemas = part.components.as_ref().map(|components| components.schemas.clone());
        for (name, schema) in schemas.unwrap_or_default() {
            let schema = serde_json::to_value(&schema).unwrap_or_default();
            if seen.get(&name).is_some_and(|known| *known != schema) {
                clashes.insert(name.clone());
            }
            seen.insert(name, schema);
        }
        whole.merge(part);
    }
    (serde_json::to_value(&whole).unwrap_or_default(), clashes)
}

/// What belongs to the document as a whole.
fn finish(mut document: Value) -> Value {
    let Some(root) = document.as_object_mut() else { return document };
    root.insert(
        "info".to_owned(),
        json!({
            "title": "kindred",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        }),
    );
    let mut used = BTreeSet::new();
    if let Some(paths) = root.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                if let Some(operation) = operation.as_object_mut() {
                    used.insert(tag_operation(path, operation));
                    finish_operation(path, method, operation);
                }
            }
        }
    }
    let known = TAGS.iter().filter(|(name, _)| used.contains(*name));
    let mut tags: Vec<_> = known.map(|(name, about)| json!({ "name": name, "description": about })).collect();
    let others = used.iter().filter(|name| !TAGS.iter().any(|(known, _)| known == name));
    tags.extend(others.map(|name| json!({ "name": name })));
    root.insert("tags".to_owned(), Value::Array(tags));
    let codes = Code::ALL.iter().map(
        |code| json!({ "status": code.status(), "code": code.as_str(), "detail": code.default_detail() }),
    );
    root.insert("x-problem-codes".to_owned(), codes.collect());
    if let Some(components) = root.get_mut("components").and_then(Value::as_object_mut) {
        components.insert(
            "securitySchemes".to_owned(),
            json!({ "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An access token (`POST /v1/sessions`), or for operators' calls an API key.",
            }}),
        );
    }
    document
}

/// One tag each: what the handler says, or for operators' calls the resource.
fn tag_operation(path: &str, operation: &mut Map<String, Value>) -> String {
    let given = operation.get("tags").and_then(|tags| tags.get(0)).and_then(Value::as_str);
    let resource = path.strip_prefix("/v1/admin/").and_then(|rest| rest.split('/').next());
    let tag = match (resource, given) {
        (Some(resource), _) => format!("operators: {resource}"),
        (None, given) => given.unwrap_or("other").to_lowercase(),
    };
    operation.insert("tags".to_owned(), json!([tag]));
    tag
}

/// A name that is the only one of its kind, and the answer that every call may get.
fn finish_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let words: Vec<_> = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && *word != "v1")
        .collect();
    operation.insert("operationId".to_owned(), json!(format!("{method}_{}", words.join("_"))));
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        for (status, response) in responses.iter_mut() {
            name_problem(status, response);
        }
        responses.entry("default").or_insert_with(|| {
            json!({
                "description": "A refusal, such as too_many_requests, or a fault of ours.",
                "content": { "application/problem+json": { "schema": { "$ref": PROBLEM } } },
            })
        });
    }
}

const PROBLEM: &str = "#/components/schemas/Problem";

/// Every refusal has a problem for a body, whether the handler says so or not; its media type is always the same.
fn name_problem(status: &str, response: &mut Value) {
    let Some(response) = response.as_object_mut() else { return };
    let problem = json!({ "application/problem+json": { "schema": { "$ref": PROBLEM } } });
    let schema = response.get("content").map(|content| content.pointer("/application~1json/schema/$ref"));
    let is_problem = match schema {
        None => status.starts_with(['4', '5']),
        Some(reference) => reference.and_then(Value::as_str) == Some(PROBLEM),
    };
    if is_problem {
        response.insert("content".to_owned(), problem);
    }
}

/// Patterns of all paths with their methods, in capitals.
static ROUTES: LazyLock<Vec<(ResourceDef, Vec<String>)>> = LazyLock::new(|| {
    let paths = DOCUMENT.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths
        .map(|(path, item)| {
            let methods = item.as_object().into_iter().flat_map(Map::keys);
            (ResourceDef::new(path.as_str()), methods.map(|method| method.to_uppercase()).collect())
        })
        .collect()
});

/// The methods that a path takes; none where there is no such path.
pub fn methods_of(path: &str) -> Vec<&'static str> {
    let routes = ROUTES.iter().filter(|(pattern, _)| pattern.is_match(path));
    routes.flat_map(|(_, methods)| methods.iter().map(String::as_str)).collect()
}

/// `api-spec/problem-codes.md`.
pub fn problem_codes() -> String {
    let mut text = String::from(
        "# Problem codes\n\nEach refusal is `application/problem+json` with one of these stable codes. Generated from \
         `src/error.rs`; renew with `UPDATE_GENERATED=1 make test`.\n\n| status | code | meaning |\n| --- | --- | --- |\n",
    );
    let mut codes: Vec<_> = Code::ALL.iter().collect();
    codes.sort_by_key(|code| (code.status(), code.as_str()));
    for code in codes {
        text += &format!("| {} | `{}` | {} |\n", code.status(), code.as_str(), code.default_detail());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_names_of_their_own_and_a_problem() {
        let mut names = BTreeSet::new();
        for (path, item) in document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} twice");
                assert_ne!(operation["tags"][0], "other", "{method} {path} has no tag");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                assert!(operation["responses"]["default"].is_object());
            }
        }
        assert_eq!(document()["openapi"], "3.1.0");
        assert!(document()["components"]["schemas"]["Problem"].is_object());
    }

    #[test]
    fn no_two_rooms_use_one_name_for_different_things() {
        assert_eq!(clashes(), BTreeSet::new());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|value| walk(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk(document(), &mut found);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document().pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_path_knows_its_methods() {
        assert_eq!(methods_of("/healthz"), ["GET"]);
        assert_eq!(methods_of("/v1/me/sessions/current"), ["DELETE"]);
        assert!(methods_of("/v1/nothing").is_empty());
    }
}
