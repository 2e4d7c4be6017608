//! The member's card: a small page to show or print, without any outside resource, script or style sheet.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::types::locale::Locale;

/// What is on it.
#[derive(Clone, Debug)]
pub struct Card {
    pub number: String,
    pub tier: String,
    /// The member's, if it has told one.
    pub name: Option<String>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub is_valid: bool,
    pub locale: Locale,
}

/// As an SVG picture, 85.6 × 54 mm (ISO/IEC 7810 ID-1). Dates are the shop's.
pub fn svg(card: &Card, zone: Tz) -> String {
    let date = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d").to_string();
    let since = format!("{} {}", card.locale.pick("会员始于", "Member since"), date(card.starts_at));
    let until = match card.ends_at {
        Some(end) => format!("{} {}", card.locale.pick("有效期至", "Valid until"), date(end)),
        None => card.locale.pick("终身会员", "Member for life").to_owned(),
    };
    let state = if card.is_valid { "" } else { card.locale.pick("已失效", "Not valid") };
    let [number, tier, name, since, until] =
        [&card.number, &card.tier, card.name.as_deref().unwrap_or_default(), &since, &until].map(escaped);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="85.6mm" height="54mm" viewBox="0 0 856 540" role="img" aria-label="{tier} {number}" font-family="sans-serif">
<rect width="856" height="540" rx="32" fill="#1d2b3a"/>
<text x="60" y="110" font-size="44" fill="#e8d8a8">{tier}</text>
<text x="60" y="290" font-size="96" font-family="monospace" fill="#ffffff">{number}</text>
<text x="60" y="370" font-size="40" fill="#ffffff">{name}</text>
<text x="60" y="440" font-size="28" fill="#b8c4d0">{since}</text>
<text x="60" y="485" font-size="28" fill="#b8c4d0">{until}</text>
<text x="796" y="485" font-size="36" text-anchor="end" fill="#ff8a80">{state}</text>
</svg>
"##
    )
}

/// The picture on a page of its own.
pub fn page(card: &Card, zone: Tz) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n{}</body>\n\
         </html>\n",
        card.locale.as_str(),
        escaped(&card.number),
        svg(card, zone)
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            number: "LJ0047".into(),
            tier: "铁杆会员".into(),
            name: Some("<script>alert('&')</script>".into()),
            starts_at: "2013-08-08T17:00:00Z".parse().unwrap(),
            ends_at: Some("2014-08-08T17:00:00Z".parse().unwrap()),
            is_valid: true,
            locale: Locale::ZhCn,
        }
    }

    #[test]
    fn a_card_shows_number_tier_name_and_the_shops_dates() {
        let page = page(&card(), chrono_tz::Asia::Shanghai);
        for part in ["LJ0047", "铁杆会员", "会员始于 2013-08-09", "有效期至 2014-08-09", "lang=\"zh-CN\""]
        {
            assert!(page.contains(part), "{part}");
        }
        assert!(
            page.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;")
                && !page.contains("<script>")
        );
    }

    #[test]
    fn for_life_and_not_valid() {
        let card = Card { ends_at: None, is_valid: false, locale: Locale::En, ..card() };
        let svg = svg(&card, chrono_tz::Asia::Shanghai);
        assert!(svg.contains("Member for life") && svg.contains("Not valid"));
    }
}
