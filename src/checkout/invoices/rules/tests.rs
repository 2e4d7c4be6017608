use serde_json::json;

use super::*;
use crate::checkout::orders::model::OrderState;
use crate::types::id::{AccountId, OrderId, RefundId};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn order(ship_to: Option<serde_json::Value>) -> OrderRow {
    OrderRow {
        id: OrderId::new(),
        number: "20140601-7K3M9QXA".to_owned(),
        account_id: AccountId::new(),
        state: OrderState::Paid,
        currency: "CNY".to_owned(),
        subtotal_minor: 0,
        discount_minor: 0,
        shipping_minor: 1_200,
        tax_included_minor: 0,
        total_minor: 0,
        points: 0,
        points_minor: 0,
        credit_minor: 0,
        due_minor: 0,
        refunded_minor: 0,
        explanation: json!([]),
        email: "luo@shop.test".to_owned(),
        locale: "zh-CN".to_owned(),
        invite_code: None,
        terms_version: None,
        success_url: String::new(),
        cancel_url: String::new(),
        hold_minutes: 15,
        ship_to,
        shipping_method_id: None,
        created_at: utc("2014-06-01T00:00:00Z"),
        paid_at: Some(utc("2014-06-01T00:05:00Z")),
        closed_at: None,
    }
}

fn line(total_minor: i64, tax_rate_bp: i32, tax_included_minor: i64) -> LineRow {
    LineRow {
        id: LineId::new(),
        order_id: OrderId::new(),
        position: 0,
        kind: "variant".to_owned(),
        plan_id: None,
        drive_id: None,
        variant_id: None,
        drop_id: None,
        f_code_id: None,
        title: "书盒".to_owned(),
        quantity: 1,
        unit_price_minor: total_minor,
        discount_minor: 0,
        total_minor,
        tax_included_minor,
        tax_rate_bp,
        refunded_minor: 0,
        points_minor: 0,
        points_back_minor: 0,
        points_rate_bp: 0,
        level_rate_bp: 0,
        shipped: 0,
        returned: 0,
        restocked_at: None,
        fulfilled_at: None,
        ships_from: None,
        upgrade_quote_id: None,
        renewal_id: None,
        benefit_id: None,
    }
}

fn seller() -> Seller {
    Seller { name: "罗辑思维".to_owned(), address: Vec::new(), tax_id: None }
}

fn invoice_of(order: &OrderRow, lines: &[LineRow]) -> Draft {
    let sold = Sold { order, paid_at: order.created_at, lines, method: Some("card") };
    invoice(&sold, &seller())
}

fn about() -> About {
    About { number: "2014-000001".to_owned(), issued_at: utc("2014-06-01T00:06:00Z") }
}

#[test]
fn a_year_begins_at_midnight_of_the_shop() {
    let zone = chrono_tz::Asia::Shanghai;
    assert_eq!(year_of(utc("2014-12-31T15:59:59Z"), zone), 2014);
    assert_eq!(year_of(utc("2014-12-31T16:00:00Z"), zone), 2015);
}

#[test]
fn numbers_go_on_in_a_year_and_start_again_in_the_next() {
    assert_eq!(next((0, 0), 2014), Ok((2014, 1)));
    assert_eq!(next((2014, 122), 2014), Ok((2014, 123)));
    assert_eq!(next((2014, 122), 2015), Ok((2015, 1)));
    assert_eq!(next((2015, 1), 2014), Err(EndedYear));
    assert_eq!(number(InvoiceKind::Invoice, 2014, 123), "2014-000123");
    assert_eq!(number(InvoiceKind::CreditNote, 2014, 12), "CN-2014-000012");
    assert_eq!(number(InvoiceKind::Correction, 2014, 1_234_567), "CI-2014-1234567");
}

#[test]
fn an_invoice_sums_up_by_rate() {
    let order = order(None);
    let lines = [line(10_900, 900, 900), line(10_900, 900, 900), line(11_300, 1_300, 1_300)];
    let draft = invoice_of(&order, &lines);
    assert_eq!((draft.total_minor, draft.tax_minor), (34_300, 3_100));
    let sums: Vec<_> =
        draft.content.taxes.iter().map(|sum| (sum.rate_bp, sum.total_minor, sum.tax_minor)).collect();
    assert_eq!(sums, [(1_300, 11_300, 1_300), (900, 21_800, 1_800), (0, 1_200, 0)]);
}

#[test]
fn notes_of_a_line_add_up_to_its_tax() {
    let order = order(None);
    let lines = [line(49_900, 900, 4_120)];
    let invoice = invoice_of(&order, &lines).content;
    let mut credited = HashMap::new();
    let mut tax_minor = 0;
    for (amount_minor, shipping_minor) in [(3, 0), (16_631, 0), (33_266, 1_200)] {
        let part =
            RefundLine { refund_id: RefundId::new(), line_id: lines[0].id, amount_minor, restock: false };
        let returned = Returned { lines: &[part], shipping_minor };
        let draft = credit_note(&invoice, about(), &returned, &credited).unwrap();
        assert_eq!(draft.total_minor, amount_minor + shipping_minor);
        assert_eq!((draft.content.lines[0].quantity, draft.content.paid_at), (None, invoice.paid_at));
        tax_minor += draft.tax_minor;
        count_credited(&mut credited, InvoiceKind::CreditNote, &draft.content);
    }
    assert_eq!(tax_minor, 4_120);
    assert_eq!(credited[&lines[0].id], Credited { total_minor: 49_900, tax_minor: 4_120 });
}

#[test]
fn a_correction_gives_back_what_its_note_took() {
    let order = order(None);
    let lines = [line(10_900, 900, 900)];
    let invoice = invoice_of(&order, &lines).content;
    let part =
        RefundLine { refund_id: RefundId::new(), line_id: lines[0].id, amount_minor: 10_900, restock: false };
    let returned = Returned { lines: &[part], shipping_minor: 0 };
    let note = credit_note(&invoice, about(), &returned, &HashMap::new()).unwrap();
    assert_eq!(note.content.lines[0].quantity, Some(1));
    let undone = correction(&note.content, about());
    assert_eq!((undone.total_minor, undone.tax_minor), (note.total_minor, note.tax_minor));
    let mut credited = HashMap::new();
    count_credited(&mut credited, InvoiceKind::CreditNote, &note.content);
    count_credited(&mut credited, InvoiceKind::Correction, &undone.content);
    assert_eq!(credited[&lines[0].id], Credited::default());
}

#[test]
fn the_buyer_is_whom_the_parcel_goes_to_and_nobody_after_erasure() {
    let address = json!({
        "name": "罗小姐", "phone": "13800000000", "country": "CN", "city": "北京", "line1": "朝阳门外大街 1 号",
    });
    let shipped = buyer(&order(Some(address)), Some("Luo")).unwrap();
    assert_eq!(shipped.name.as_deref(), Some("罗小姐"));
    assert_eq!(shipped.address, ["朝阳门外大街 1 号", "北京", "CN"]);
    let unshipped = buyer(&order(None), Some("Luo")).unwrap();
    assert_eq!((unshipped.name.as_deref(), unshipped.address.len()), (Some("Luo"), 0));
    let erased = OrderRow { email: String::new(), ..order(None) };
    assert_eq!(buyer(&erased, None), None);
}
