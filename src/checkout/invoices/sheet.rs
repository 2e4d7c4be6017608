//! An invoice as people read it: every word and amount in its place, in the language of its order. The page and the PDF are
//! two ways to lay out the same sheet.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::content::{Buyer, Content, ContentLine, InvoiceKind};
use super::model::InvoiceRow;
use crate::error::Result;
use crate::messages::mails::render::show_date;
use crate::types::locale::Locale;
use crate::types::money::display;

/// A sheet, ready to be laid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sheet {
    pub lang: &'static str,
    pub title: &'static str,
    pub number: String,
    pub seller: Party,
    pub buyer: Party,
    /// Label and value.
    pub facts: Vec<(&'static str, String)>,
    /// What was sold or went back.
    pub items: Table,
    /// Label and amount; the last one is the total.
    pub sums: Vec<(&'static str, String)>,
    /// How the total was paid, where there is more to say than the total.
    pub means: Vec<(&'static str, String)>,
    pub taxes: Table,
    pub note: &'static str,
}

/// Who sells or buys, line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    pub label: &'static str,
    pub lines: Vec<String>,
}

/// A table; its first column is text, the others are figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    pub head: Vec<&'static str>,
    /// As many cells as the head has.
    pub rows: Vec<Vec<String>>,
}

/// The words of one language.
struct Words(Locale);

impl Words {
    fn say(&self, zh: &'static str, en: &'static str) -> &'static str {
        self.0.pick(zh, en)
    }

    fn title(&self, kind: InvoiceKind) -> &'static str {
        match kind {
            InvoiceKind::Invoice => self.say("账单", "Invoice"),
            InvoiceKind::CreditNote => self.say("贷项通知单", "Credit note"),
            InvoiceKind::Correction => self.say("更正账单", "Correcting invoice"),
        }
    }

    /// What the document is about.
    fn about(&self, kind: InvoiceKind) -> &'static str {
        match kind {
            InvoiceKind::Correction => self.say("冲销贷项通知单", "Cancels credit note"),
            _ => self.say("对应账单", "For invoice"),
        }
    }

    fn note(&self, kind: InvoiceKind) -> &'static str {
        match kind {
            InvoiceKind::Invoice => self.say("价格均含税。", "Prices include tax."),
            InvoiceKind::CreditNote => {
                self.say("上述金额已退回，均含税。", "These amounts were paid back. They include tax.")
            }
            InvoiceKind::Correction => self.say(
                "退款未能到账，上述贷项通知单作废，原账单金额恢复。",
                "The refund didn't arrive: the credit note is cancelled, and the invoice stands again by this amount.",
            ),
        }
    }

    fn method(&self, method: &str) -> String {
        match method {
            "card" => self.say("银行卡", "Card").to_owned(),
            "wechat_pay" => self.say("微信支付", "WeChat Pay").to_owned(),
            "alipay" => self.say("支付宝", "Alipay").to_owned(),
            other => other.to_owned(),
        }
    }
}

impl Sheet {
    /// The sheet of what was issued; days are the shop's.
    ///
    /// # Errors
    /// When the row can't be read.
    pub fn of(row: &InvoiceRow, zone: Tz) -> Result<Self> {
        let locale = Locale::from_stored(&row.locale);
        let words = Words(locale);
        let content = row.content()?;
        let day = |at: DateTime<Utc>| show_date(at, zone, locale);
        let money = |minor: i64| display(minor, &row.currency);
        let mut facts = vec![
            (words.say("编号", "Number"), row.number.clone()),
            (words.say("开具日期", "Date"), day(row.issued_at)),
            (words.say("订单", "Order"), content.order_number.clone()),
            (words.say("下单日期", "Ordered on"), day(content.ordered_at)),
            (words.say("付款日期", "Paid on"), day(content.paid_at)),
        ];
        if let Some(method) = &content.method {
            facts.push((words.say("付款方式", "Paid by"), words.method(method)));
        }
        if let Some(about) = &content.about {
            facts.push((words.about(row.kind), format!("{} ({})", about.number, day(about.issued_at))));
        }
        Ok(Self {
            lang: locale.as_str(),
            title: words.title(row.kind),
            number: row.number.clone(),
            seller: seller(&content, &words),
            buyer: buyer(row.buyer()?.as_ref(), &words),
            facts,
            items: Table {
                head: vec![
                    words.say("项目", "Item"),
                    words.say("数量", "Quantity"),
                    words.say("单价", "Unit price"),
                    words.say("税率", "Tax rate"),
                    words.say("含税额", "Tax in it"),
                    words.say("金额", "Amount"),
                ],
                rows: content.lines.iter().map(|line| item(line, &money)).collect(),
            },
            sums: sums(&content, row.total_minor, &words, &money),
            means: means(&content, row.total_minor, &words, &money),
            taxes: Table {
                head: vec![
                    words.say("税率", "Tax rate"),
                    words.say("不含税", "Net"),
                    words.say("税额", "Tax"),
                    words.say("价税合计", "Gross"),
                ],
                rows: content
                    .taxes
                    .iter()
                    .map(|sum| {
                        let net_minor = sum.total_minor - sum.tax_minor;
                        vec![
                            percent(sum.rate_bp),
                            money(net_minor),
                            money(sum.tax_minor),
                            money(sum.total_minor),
                        ]
                    })
                    .collect(),
            },
            note: words.note(row.kind),
        })
    }
}

fn seller(content: &Content, words: &Words) -> Party {
    let seller = &content.seller;
    let mut lines = vec![seller.name.clone()];
    lines.extend(seller.address.iter().cloned());
    lines.extend(seller.tax_id.iter().map(|id| format!("{} {id}", words.say("税号", "Tax number"))));
    Party { label: words.say("销售方", "Seller"), lines }
}

fn buyer(buyer: Option<&Buyer>, words: &Words) -> Party {
    let lines = match buyer {
        None => vec![words.say("（应购买方要求已删除）", "(erased at the buyer's request)").to_owned()],
        Some(buyer) => {
            let mut lines: Vec<_> = buyer.name.iter().cloned().collect();
            lines.extend(buyer.address.iter().cloned());
            lines.push(buyer.email.clone());
            lines
        }
    };
    Party { label: words.say("购买方", "Buyer"), lines }
}

fn item(line: &ContentLine, money: &impl Fn(i64) -> String) -> Vec<String> {
    let discounted = if line.discount_minor > 0 {
        format!("{} (−{})", line.title, money(line.discount_minor))
    } else {
        line.title.clone()
    };
    vec![
        discounted,
        line.quantity.map(|quantity| quantity.to_string()).unwrap_or_default(),
        line.unit_price_minor.map(money).unwrap_or_default(),
        percent(line.tax_rate_bp),
        money(line.tax_minor),
        money(line.total_minor),
    ]
}

fn sums(
    content: &Content,
    total_minor: i64,
    words: &Words,
    money: &impl Fn(i64) -> String,
) -> Vec<(&'static str, String)> {
    let mut sums = Vec::new();
    if content.shipping_minor > 0 {
        sums.push((words.say("运费", "Shipping"), money(content.shipping_minor)));
    }
    sums.push((words.say("合计", "Total"), money(total_minor)));
    sums
}

fn means(
    content: &Content,
    total_minor: i64,
    words: &Words,
    money: &impl Fn(i64) -> String,
) -> Vec<(&'static str, String)> {
    let (points_minor, credit_minor) = (content.points_minor, content.credit_minor);
    let all = [
        (words.say("其中积分支付", "Of it paid with points"), points_minor),
        (words.say("其中余额支付", "Of it paid with store credit"), credit_minor),
        (words.say("实付", "Charged"), total_minor - points_minor - credit_minor),
    ];
    if points_minor + credit_minor == 0 {
        return Vec::new();
    }
    all.into_iter().filter(|(_, minor)| *minor > 0).map(|(label, minor)| (label, money(minor))).collect()
}

/// Hundredths of a percent, as people write them: `9%`, `13.5%`.
fn percent(bp: i32) -> String {
    let text = format!("{}.{:02}", bp / 100, bp % 100);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_short() {
        assert_eq!(
            [0, 900, 1_350, 1_305, 10_000].map(percent),
            ["0%", "9%", "13.5%", "13.05%", "100%"].map(str::to_owned)
        );
    }
}
