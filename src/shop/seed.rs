//! Demo data: the book box of June 2014 (8,000 sets at 499 yuan: six books, a notebook, a tin of tea), the kiwis (10,000
//! boxes), mooncakes (40,038 boxes, 23,214 of them in the own mall), and a course without a parcel. The box is sold in a drop
//! to diehard members a day before all others, the kiwis in a flash sale, two boxes a person. Prices of kiwis, mooncakes and
//! course, weights and the shipping fee are ours.

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::Method;
use serde_json::json;

use super::audience::Audience;
use super::channels::model::{self as channels, Channel};
use super::drops::model::{self as drops, AudienceOf, Drop, Item};
use super::products::model::{self as products, NewVariant, Product, ProductKind};
use super::products::search;
use super::shipping::model::{self as shipping, ShippingMethod};
use super::stock::model::{self as stock, Move, Reason};
use crate::db::Conn;
use crate::error::Result;
use crate::types::id::{
    AudienceId, ChannelId, DropId, MoveId, PoolId, ProductId, ShippingMethodId, VariantId,
};
use crate::types::locale::Names;

const BOXES: i64 = 8_000;
const KIWIS: i64 = 10_000;
const MOONCAKES: i64 = 40_038;
const MOONCAKES_IN_THE_MALL: i64 = 23_214;

/// A product of one variant.
pub struct Thing<'a> {
    pub slug: &'a str,
    pub sku: &'a str,
    pub kind: ProductKind,
    /// In Chinese and in English.
    pub names: (&'a str, &'a str),
    pub price_minor: i64,
    pub weight_grams: i32,
    pub buys: Audience,
    /// What comes into stock.
    pub stock: i64,
    /// Sold by itself.
    pub open_sale: bool,
    pub parts: Vec<(VariantId, i32)>,
}

/// Writes the mall. Call it once, in a transaction, after the tiers.
///
/// # Errors
/// The database's.
pub async fn mall(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    shipping::insert(conn, &express(now)).await?;
    let book_box = book_box(conn, BOXES, now).await?;
    let kiwis = Thing {
        slug: "liutao-kiwis",
        sku: "KIWI",
        kind: ProductKind::Goods,
        names: ("柳桃(奇异果)一箱", "A box of Liutao kiwis"),
        price_minor: 9_900,
        weight_grams: 2_500,
        buys: Audience::Everyone,
        stock: KIWIS,
        open_sale: false,
        parts: Vec::new(),
    };
    let kiwis = put(conn, &kiwis, now).await?;
    let course = Thing {
        slug: "ppt-course",
        sku: "COURSE-PPT",
        kind: ProductKind::Digital,
        names: ("秋叶 PPT 线上课", "An online course on slides"),
        price_minor: 9_900,
        weight_grams: 0,
        buys: Audience::Everyone,
        stock: 0,
        open_sale: true,
        parts: Vec::new(),
    };
    put(conn, &course, now).await?;
    mooncakes(conn, now).await?;
    let later = now + TimeDelta::days(1);
    let audiences = [(Audience::Tier { at_least: "diehard".to_owned() }, now), (Audience::Members, later)];
    let sold = (book_box, BOXES);
    let names = Names::new("2014 年六月书盒", "The book box of June 2014");
    let book_box = drop("book-box-2014", names, sold, later, None, &audiences);
    drops::insert(conn, &Drop { created_at: now, ..book_box }).await?;
    let names = Names::new("柳桃闪购", "Kiwis, a flash sale");
    drops::insert(conn, &drop("kiwis-2014", names, (kiwis, KIWIS), now, Some(2), &[])).await
}

/// Mooncakes: 40,038 boxes, of which 23,214 were sold in the own mall; the others are set aside for a partner's shop.
async fn mooncakes(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    let mooncakes = Thing {
        slug: "mooncakes-2014",
        sku: "MOONCAKES",
        kind: ProductKind::Goods,
        names: ("真爱特供月饼", "A box of mooncakes"),
        price_minor: 16_800,
        weight_grams: 900,
        buys: Audience::Everyone,
        stock: MOONCAKES,
        open_sale: true,
        parts: Vec::new(),
    };
    let variant = put(conn, &mooncakes, now).await?;
    let partner = Channel {
        id: ChannelId::new(),
        code: "partner".to_owned(),
        names: Names::new("合作书店", "A partner's bookshop"),
        is_own: false,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    channels::insert(conn, &partner).await?;
    let pool = channels::make_allocation(conn, partner.id, variant).await?;
    let elsewhere = MOONCAKES - MOONCAKES_IN_THE_MALL;
    for source in channels::sources(conn, partner.id, &[variant]).await? {
        let aside = Move {
            id: MoveId::new(),
            variant_id: variant,
            quantity: -elsewhere,
            reason: Reason::SetAside,
            note: None,
            cause: "seed:partner".to_owned(),
            moved_by: "system".to_owned(),
            moved_at: now,
        };
        stock::enter(conn, source.stock, &aside).await?;
        channels::resize(conn, partner.id, pool, elsewhere, aside.id).await?;
    }
    Ok(())
}

/// The book box of 2014 for members alone, with the parts of so many boxes in stock.
///
/// # Errors
/// The database's.
pub async fn book_box(conn: &mut Conn, boxes: i64, now: DateTime<Utc>) -> Result<VariantId> {
    let mut parts = Vec::new();
    for (slug, sku, names, price_minor, weight_grams, of_box) in [
        ("reading-book", "BOOK", ("选书一册", "A chosen book"), 3_900, 400, 6),
        ("notebook", "NOTEBOOK", ("笔记本", "A notebook"), 5_900, 300, 1),
        ("tea", "TEA", ("一罐茶", "A tin of tea"), 9_900, 250, 1),
    ] {
        let thing = Thing {
            slug,
            sku,
            kind: ProductKind::Goods,
            names,
            price_minor,
            weight_grams,
            buys: Audience::Everyone,
            stock: boxes * of_box,
            open_sale: false,
            parts: Vec::new(),
        };
        parts.push((put(conn, &thing, now).await?, i32::try_from(of_box).unwrap_or(1)));
    }
    let book_box = Thing {
        slug: "book-box-2014",
        sku: "BOX-2014",
        kind: ProductKind::Bundle,
        names: ("罗辑思维 2014 年六月书盒", "The book box of June 2014"),
        price_minor: 49_900,
        weight_grams: 300,
        buys: Audience::Members,
        stock: 0,
        open_sale: false,
        parts,
    };
    put(conn, &book_box, now).await
}

/// By parcel within China, free from 199 yuan and for diehard members.
pub fn express(now: DateTime<Utc>) -> ShippingMethod {
    ShippingMethod {
        id: ShippingMethodId::new(),
        code: "express".to_owned(),
        names: Names::new("快递", "Express"),
        countries: vec!["CN".to_owned()],
        fee_minor: 1_200,
        fee_per_kg_minor: 400,
        free_from_minor: Some(19_900),
        free_for: Some(Audience::Tier { at_least: "diehard".to_owned() }),
        created_at: now,
        archived_at: None,
        version: 1,
    }
}

/// Writes a product with its variant, and what of it is in stock.
///
/// # Errors
/// The database's.
pub async fn put(conn: &mut Conn, thing: &Thing<'_>, now: DateTime<Utc>) -> Result<VariantId> {
    let (zh, en) = thing.names;
    let product = Product {
        id: ProductId::new(),
        slug: thing.slug.to_owned(),
        kind: thing.kind,
        names: Names::new(zh, en),
        about: Names::new("", ""),
        images: Vec::new(),
        category: None,
        tags: vec!["2014".to_owned()],
        tax_rate_bp: 0,
        sees: Audience::Everyone,
        buys: thing.buys.clone(),
        payment_methods: vec![Method::Card, Method::WechatPay, Method::Alipay],
        hold_minutes: 15,
        right_days: None,
        opens_for: None,
        shown_from: None,
        shown_until: None,
        available_from: None,
        hides_price: false,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    products::insert(conn, &product).await?;
    products::store_terms(conn, product.id, &search::terms([thing.slug, zh, en, thing.sku])).await?;
    let (variant, pool) = (VariantId::new(), PoolId::new());
    let has_stock = thing.kind == ProductKind::Goods;
    let new = NewVariant {
        id: variant,
        product: product.id,
        sku: thing.sku.to_owned(),
        position: 0,
        options: json!({}),
        price_minor: thing.price_minor,
        currency: "CNY".to_owned(),
        weight_grams: thing.weight_grams,
        pool: has_stock.then_some((pool, "stock", 0)),
        open_sale: thing.open_sale,
        max_per_order: 10,
        low_stock_at: None,
        ships_from: None,
        parts: thing.parts.clone(),
        created_at: now,
    };
    products::insert_variant(conn, &new).await?;
    if has_stock {
        let received = Move {
            id: MoveId::new(),
            variant_id: variant,
            quantity: thing.stock,
            reason: Reason::Received,
            note: None,
            cause: format!("seed:{}", thing.sku),
            moved_by: "system".to_owned(),
            moved_at: now,
        };
        stock::enter(conn, pool, &received).await?;
    }
    Ok(variant)
}

/// A drop of one thing that closes when it is ten years old, as the demo's drives do.
pub fn drop(
    code: &str,
    names: Names,
    (variant, capacity): (VariantId, i64),
    opens_at: DateTime<Utc>,
    cap_per_person: Option<i32>,
    audiences: &[(Audience, DateTime<Utc>)],
) -> Drop {
    let audience = |(buyers, opens_at): &(Audience, DateTime<Utc>)| AudienceOf {
        id: AudienceId::new(),
        buyers: buyers.clone(),
        opens_at: *opens_at,
        pool: None,
        allocation: None,
    };
    Drop {
        id: DropId::new(),
        code: code.to_owned(),
        names,
        opens_at,
        closes_at: opens_at + TimeDelta::days(3_650),
        cap_per_person,
        created_at: opens_at,
        archived_at: None,
        version: 1,
        items: vec![Item {
            variant,
            is_bundle: false,
            pool: PoolId::new(),
            capacity,
            held: 0,
            taken: 0,
            waiting: 0,
            price: None,
        }],
        audiences: audiences.iter().map(audience).collect(),
        goal: None,
    }
}
