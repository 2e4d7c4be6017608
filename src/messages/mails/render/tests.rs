use super::super::{LowItem, MissingFigure, ReceiptLine};
use super::*;
use crate::types::id::NoticeId;

fn renderer(storefront: Option<&str>) -> Renderer {
    let settings = Settings::from_lookup(&|name| match name {
        "KINDRED_PUBLIC_URL" => Some("https://api.shop.example".to_owned()),
        "KINDRED_STOREFRONT_URL" => storefront.map(str::to_owned),
        _ => None,
    });
    Renderer::new(&settings.unwrap(), "罗辑思维").unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One of every kind.
fn samples() -> Vec<Mail> {
    let drive = || ("第一季招募".to_owned(), "First drive".to_owned());
    let line = |title: &str, total_minor| ReceiptLine { title: title.to_owned(), quantity: 1, total_minor };
    let (drive_zh, drive_en) = drive();
    let token = || "a+b/c=".to_owned();
    let number = || "KD202608090001".to_owned();
    vec![
        Mail::VerifyEmail { token: token() },
        Mail::ResetPassword { token: token() },
        Mail::ChangeEmail { token: token() },
        Mail::Welcome {
            number: "LJ0001".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            starts_at: utc("2013-08-09T06:00:00Z"),
            ends_at: Some(utc("2014-08-09T06:00:00Z")),
        },
        Mail::Upgraded {
            number: "LJ0001".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            ends_at: Some(utc("2014-08-09T06:00:00Z")),
        },
        Mail::Renewed {
            number: "LJ0001".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            ends_at: Some(utc("2014-08-09T06:00:00Z")),
        },
        Mail::RenewalNotice {
            token: token(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            charge_at: utc("2014-08-09T06:00:00Z"),
            card: "4242".to_owned(),
        },
        Mail::RenewalReminder {
            token: token(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            ends_at: utc("2014-08-09T06:00:00Z"),
            grace_ends_at: utc("2014-08-16T06:00:00Z"),
            is_over: false,
            can_pay: true,
        },
        Mail::RenewalFailed {
            token: token(),
            reason: "insufficient_funds".to_owned(),
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            retry_at: Some(utc("2014-08-09T06:00:00Z")),
            grace_ends_at: utc("2014-08-16T06:00:00Z"),
        },
        Mail::PriceChange {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            was_minor: 100_000,
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            from: utc("2014-08-09T06:00:00Z"),
        },
        Mail::CardExpiring {
            token: token(),
            card: "4242".to_owned(),
            month: 7,
            year: 2014,
            charge_at: utc("2014-08-09T06:00:00Z"),
        },
        Mail::MembershipExpired {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            ended_at: utc("2014-08-09T06:00:00Z"),
        },
        Mail::MembershipCancelled { ends_at: utc("2014-08-09T06:00:00Z") },
        Mail::ChangePlanned {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            amount_minor: 120_000,
            currency: "CNY".to_owned(),
            from: utc("2014-08-09T06:00:00Z"),
            by_card: true,
        },
        Mail::AssociateInvitation {
            token: token(),
            from_name: "罗 <胖>".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            expires_at: utc("2013-09-08T06:00:00Z"),
        },
        Mail::AssociateJoined {
            number: "LJ0002".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            ends_at: None,
        },
        Mail::AssociateEnded {
            cause: "head_over".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
        },
        Mail::Receipt {
            order_number: number(),
            lines: vec![line("铁杆会员 <一年>", 120_000), line("普通会员", 20_000)],
            shipping_minor: 1_200,
            total_minor: 141_200,
            due_minor: 131_200,
            currency: "CNY".to_owned(),
            paid_at: utc("2013-08-09T16:30:00Z"),
        },
        Mail::Shipped {
            order_number: number(),
            carrier: "顺丰".to_owned(),
            tracking_number: Some("SF1234567890".to_owned()),
            lines: vec![line("书盒 <六本>", 49_900)],
        },
        Mail::Refunded {
            order_number: number(),
            amount_minor: 20_000,
            credit_minor: 5_000,
            points: 300,
            currency: "CNY".to_owned(),
            reason: "名额已满".to_owned(),
        },
        Mail::GoalReached {
            drop_zh: "炮哥的书 <众筹>".to_owned(),
            drop_en: "The book".to_owned(),
            order_number: number(),
        },
        Mail::OrderCancelled {
            order_number: number(),
            amount_minor: 51_100,
            credit_minor: 0,
            points: 500,
            currency: "CNY".to_owned(),
        },
        Mail::ReturnApproved {
            order_number: number(),
            instructions: "请寄回：\n北京市朝阳区 1 号 <退货组>".to_owned(),
        },
        Mail::ReturnRejected {
            order_number: number(), reason: "已超过退货期限 & 已拆封".to_owned()
        },
        Mail::ReturnClosed { order_number: number(), reason: "一直没有收到包裹".to_owned() },
        Mail::ApplicationReceived { drive_zh: drive_zh.clone(), drive_en: drive_en.clone() },
        Mail::ApplicationApproved {
            drive_zh: drive_zh.clone(),
            drive_en: drive_en.clone(),
            buy_until: utc("2013-08-12T16:00:00Z"),
        },
        Mail::ApplicationRefused { drive_zh, drive_en, reason: "资料不全 & 太短".to_owned() },
        Mail::OrganiserApproved { chapter: "郑州 <罗友会>".to_owned() },
        Mail::OrganiserRefused {
            chapter: "郑州罗友会".to_owned(), reason: "已有三位 & 够了".to_owned()
        },
        Mail::OrganiserEnded { chapter: "郑州罗友会".to_owned(), reason: "任期 & 到了".to_owned() },
        Mail::MeasureTaken {
            measure: "expulsion".to_owned(),
            rule: "第三条 <不做广告>".to_owned(),
            reason: "多次 & 屡教不改".to_owned(),
            ends_at: None,
            money: Some("rest".to_owned()),
            back_minor: 12_345,
            currency: "CNY".to_owned(),
            appeal_until: "2026-12-24T00:00:00Z".parse().unwrap(),
        },
        Mail::MeasureDecided {
            measure: "suspension".to_owned(),
            lifted: true,
            rule: "第三条 <不做广告>".to_owned(),
            reason: "误会 & 已澄清".to_owned(),
        },
        Mail::Notice {
            notice: NoticeId::new(),
            subject: "周六聚会 & 茶话会".to_owned(),
            body: "各位 <罗友>：\n\n周六下午两点，老地方见。\n带上书。".to_owned(),
        },
        Mail::HoldEnding {
            order_number: number(),
            url: "https://pay.example/c/1?a=1&b=2".to_owned(),
            expires_at: utc("2013-08-09T06:15:00Z"),
        },
        Mail::FCode {
            drop_zh: "书盒 <2014>".to_owned(),
            drop_en: "Book box <2014>".to_owned(),
            article_zh: "罗辑思维书盒".to_owned(),
            article_en: "The book box".to_owned(),
            f_code: "7Q4M2-X9PAB".to_owned(),
            expires_at: utc("2014-06-18T06:00:00Z"),
        },
        Mail::WaitingListOffer {
            drop_zh: "书盒 <2014>".to_owned(),
            drop_en: "Book box <2014>".to_owned(),
            article_zh: "罗辑思维书盒".to_owned(),
            article_en: "The book box".to_owned(),
            f_code: "7Q4M2-X9PAB".to_owned(),
            expires_at: utc("2014-06-18T06:00:00Z"),
        },
        Mail::CouponGiven {
            campaign_zh: "生日 <八折>".to_owned(),
            campaign_en: "Birthday <20 % off>".to_owned(),
            coupon: "7Q4M2X9PABCDE".to_owned(),
            why: "birthday".to_owned(),
            expires_at: Some(utc("2014-06-18T06:00:00Z")),
        },
        Mail::NowAvailable {
            product_zh: "2014 年六月书盒 <限量>".to_owned(),
            product_en: "The book box of June 2014".to_owned(),
            slug: "book-box-2014".to_owned(),
        },
        Mail::LowStock {
            items: [("BOX-2014", 3), ("TEA <罐>", 0)]
                .map(|(sku, left)| LowItem {
                    sku: sku.to_owned(),
                    name_zh: "六月书盒".to_owned(),
                    name_en: "Book box".to_owned(),
                    left,
                })
                .into(),
        },
        Mail::DisputeOpened {
            order_number: number(),
            amount_minor: 500,
            currency: "JPY".to_owned(),
            reason: "fraudulent".to_owned(),
        },
        Mail::ReferralReward {
            side: "inviter".to_owned(),
            friend: Some("张**".to_owned()),
            reward: "credit".to_owned(),
            amount_minor: 2_000,
            currency: "CNY".to_owned(),
            days: 0,
            points: 0,
            coupon_zh: String::new(),
            coupon_en: String::new(),
        },
        Mail::GiftCard {
            token: "7Q4M-2X9P-AB3K-W6TYN".to_owned(),
            amount_minor: 20_000,
            currency: "CNY".to_owned(),
            to_name: "小林".to_owned(),
            from_name: "罗 <小姐>".to_owned(),
            message: "生日快乐！\n& many more".to_owned(),
            expires_at: Some(utc("2016-08-12T16:00:00Z")),
        },
        Mail::Gift {
            token: "7Q4M-2X9P-AB3K-W6TYN".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            term: "P1Y".to_owned(),
            to_name: "小林".to_owned(),
            from_name: "罗 <小姐>".to_owned(),
            message: "生日快乐！\n& many more <script>".to_owned(),
            expires_at: Some(utc("2014-08-12T16:00:00Z")),
        },
        Mail::GiftCode {
            token: "7Q4M-2X9P-AB3K-W6TYN".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            term: "P3M".to_owned(),
            order_number: number(),
            expires_at: Some(utc("2014-08-12T16:00:00Z")),
        },
        Mail::GiftDelivered {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            order_number: number(),
            expires_at: Some(utc("2014-08-12T16:00:00Z")),
        },
        Mail::GiftRedeemed {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            order_number: number(),
        },
        Mail::GiftExpiring {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            order_number: number(),
            expires_at: utc("2014-08-12T16:00:00Z"),
        },
        Mail::WelcomeGift { gifts_zh: "限量书盒".into(), gifts_en: "Limited book box".into() },
        Mail::PointsExpiring {
            points: 1_280,
            expires_at: utc("2014-12-31T16:00:00Z"),
            worth_minor: Some(1_200),
            currency: "CNY".to_owned(),
        },
        Mail::LevelReached {
            level_zh: "黄金".to_owned(),
            level_en: "Gold".to_owned(),
            points: 500,
            gifts_zh: "限量书盒".to_owned(),
            gifts_en: "Limited book box".to_owned(),
        },
        Mail::LevelReview {
            level_zh: "黄金".to_owned(),
            level_en: "Gold".to_owned(),
            review_at: utc("2014-12-31T16:00:00Z"),
            missing: [
                ("spend", 52_300),
                ("orders", 2),
                ("level_points", 40),
                ("referrals", 1),
                ("tenure", 30),
                ("check_ins", 9),
            ]
            .map(|(metric, missing)| MissingFigure {
                metric: metric.to_owned(),
                missing,
                window: Some("P1Y".to_owned()).filter(|_| metric != "tenure"),
            })
            .to_vec(),
            is_any: true,
            currency: "CNY".to_owned(),
        },
        Mail::LevelDropped {
            from_zh: "黄金".to_owned(),
            from_en: "Gold".to_owned(),
            to_zh: "翡翠".to_owned(),
            to_en: "Jade".to_owned(),
            is_correction: false,
        },
        Mail::UpgradeOffer {
            offer_zh: "同行一年 <老罗友>".to_owned(),
            offer_en: "A year with us & more".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            plan_code: "diehard-2013".to_owned(),
            price_minor: 80_000,
            usual_minor: 120_000,
            currency: "CNY".to_owned(),
            ends_at: utc("2014-08-31T16:00:00Z"),
        },
        Mail::TrialStarted {
            number: "LJ0001".to_owned(),
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            ends_at: utc("2013-08-16T06:00:00Z"),
        },
        Mail::TrialEnding {
            tier_zh: "铁杆会员".to_owned(),
            tier_en: "Diehard".to_owned(),
            term: "P1Y".to_owned(),
            price_minor: 120_000,
            currency: "CNY".to_owned(),
            plan_code: Some("diehard-2013".to_owned()),
            ends_at: utc("2013-08-16T06:00:00Z"),
        },
        Mail::TrialEnded {
            tier_zh: "铁杆会员".to_owned(), tier_en: "Diehard".to_owned(), plan_code: None
        },
        Mail::WithdrawalReceived {
            token: token(),
            order_number: number(),
            name: "罗 <小姐>".to_owned(),
            declared_at: utc("2013-08-09T06:00:00Z"),
        },
        Mail::WithdrawalAccepted { order_number: number() },
        Mail::WithdrawalRejected { order_number: number(), reason: "已过期限 & 已拆封".to_owned() },
    ]
}

#[test]
fn every_mail_in_both_languages() {
    let renderer = renderer(Some("https://shop.example/app/"));
    let kinds: Vec<_> = samples().iter().map(|mail| mail.to_columns().unwrap().0).collect();
    assert_eq!(kinds, Mail::KINDS, "a sample of each kind");
    for mail in samples() {
        let (kind, _) = mail.to_columns().unwrap();
        for locale in Locale::ALL {
            let Rendered { subject, text, html } = renderer.render(&mail, locale).unwrap();
            let name = format!("{kind}.{}", locale.as_str());
            insta::assert_snapshot!(name, format!("{subject}\n\n{text}\n\n{html}"));
        }
    }
}

#[test]
fn a_variable_that_is_missing_is_an_error() {
    let mut renderer = renderer(None);
    renderer.templates.add_template("verify_email/en/subject.txt", "{{ no_such }}").unwrap();
    assert!(renderer.render(&samples()[0], Locale::En).is_err());
}

fn a_receipt() -> Mail {
    samples().into_iter().find(|mail| matches!(mail, Mail::Receipt { .. })).unwrap()
}

#[test]
fn without_a_storefront_no_link_leads_to_a_page_that_is_not_there() {
    let with = renderer(Some("https://shop.example")).render(&a_receipt(), Locale::En).unwrap();
    let without = renderer(None).render(&a_receipt(), Locale::En).unwrap();
    assert!(with.text.contains("https://shop.example/orders/KD202608090001"));
    assert!(!without.text.contains("/orders/") && !without.html.contains("/orders/"));
    let verify = renderer(None).render(&samples()[0], Locale::En).unwrap();
    assert!(verify.text.contains("https://api.shop.example/verify-email?token=a%2Bb%2Fc%3D\n"));
}

#[test]
fn a_line_break_in_a_name_does_not_reach_the_subject() {
    let mail = Mail::ApplicationReceived {
        drive_zh: "x".to_owned(),
        drive_en: "x\r\nBcc: everybody@b.org".to_owned(),
    };
    let subject = renderer(None).render(&mail, Locale::En).unwrap().subject;
    assert_eq!(subject, "We have your application to x Bcc: everybody@b.org");
}

#[test]
fn times_are_the_shops() {
    let at = utc("2026-01-31T17:05:00Z");
    assert_eq!(show_time(at, chrono_tz::Asia::Shanghai, Locale::ZhCn), "2026年2月1日 01:05（UTC+8）");
    assert_eq!(show_time(at, chrono_tz::Asia::Kolkata, Locale::En), "31 January 2026, 22:35 (UTC+5:30)");
    assert_eq!(show_time(at, chrono_tz::America::New_York, Locale::En), "31 January 2026, 12:05 (UTC−5)");
    assert_eq!(show_time(at, chrono_tz::UTC, Locale::En), "31 January 2026, 17:05 (UTC)");
}

#[test]
fn html_is_escaped() {
    let html = renderer(None).render(&a_receipt(), Locale::ZhCn).unwrap().html;
    assert!(html.contains("铁杆会员 &lt;一年&gt;") && !html.contains("<一年>"));
}
