//! The lines of a Checkout Session and what they add up to.

use super::amount::amount_text;
use super::error::ApiError;
use super::form::Params;
use super::ids;
use super::rows::Line;

const LINES_MAX: usize = 100;
/// Eight digits, as Stripe limits amounts.
pub const AMOUNT_MAX: i64 = 99_999_999;

/// Reads the lines and the one currency that they share.
pub fn read_lines(params: &mut Params) -> Result<(Vec<Line>, String), ApiError> {
    let mut currency = params.text("currency")?.map(|currency| currency.to_lowercase());
    let asked = params.hashes("line_items")?;
    if asked.is_empty() {
        return Err(ApiError::required("line_items"));
    }
    if asked.len() > LINES_MAX {
        return Err(ApiError::invalid("You can pass at most 100 line items.").param("line_items"));
    }
    let mut lines = Vec::new();
    for item in asked {
        let (line, its_currency) = read_line(item)?;
        match &currency {
            Some(currency) if *currency != its_currency => {
                let message = "The currencies of all line items must be the same.";
                return Err(ApiError::invalid(message).param("line_items"));
            }
            _ => currency = Some(its_currency),
        }
        lines.push(line);
    }
    Ok((lines, currency.unwrap_or_default()))
}

fn read_line(mut item: Params) -> Result<(Line, String), ApiError> {
    if let Some(price) = item.text("price")? {
        return Err(ApiError::missing_for(&item.name("price"), "price", &price));
    }
    let quantity = item.integer("quantity")?.ok_or_else(|| ApiError::required(&item.name("quantity")))?;
    if quantity < 1 {
        let name = item.name("quantity");
        return Err(ApiError::invalid("This value must be greater than or equal to 1.").param(name));
    }
    let metadata = item.metadata()?;
    let mut price = item.hash("price_data")?.ok_or_else(|| ApiError::required(&item.name("price_data")))?;
    item.refuse(&["adjustable_quantity", "dynamic_tax_rates", "tax_rates"])?;
    item.finish()?;

    let currency = price.required("currency")?.to_lowercase();
    if currency.len() != 3 || !currency.chars().all(|letter| letter.is_ascii_lowercase()) {
        return Err(ApiError::invalid(format!("Invalid currency: {currency}.")).param(price.name("currency")));
    }
    let unit = price.integer("unit_amount")?.ok_or_else(|| ApiError::required(&price.name("unit_amount")))?;
    if !(0..=AMOUNT_MAX).contains(&unit) {
        return Err(ApiError::invalid("Invalid non-negative integer").param(price.name("unit_amount")));
    }
    price.one_of("tax_behavior", &["exclusive", "inclusive", "unspecified"])?;
    let mut product =
        price.hash("product_data")?.ok_or_else(|| ApiError::required(&price.name("product_data")))?;
    price.refuse(&["product", "recurring", "unit_amount_decimal"])?;
    price.finish()?;

    let name = product.required("name")?;
    product.text("description")?;
    product.texts("images")?;
    product.metadata()?;
    product.text("tax_code")?;
    product.text("unit_label")?;
    product.finish()?;
    let line = Line {
        id: ids::random("li_1", 23),
        price: ids::random("price_1", 23),
        product: ids::random("prod_", 14),
        name,
        unit_amount: unit,
        quantity,
        metadata,
    };
    Ok((line, currency))
}

/// What the session charges, between the least and the most that Stripe takes.
pub fn total(lines: &[Line], currency: &str) -> Result<i64, ApiError> {
    let sum = lines
        .iter()
        .try_fold(0_i64, |sum, line| line.unit_amount.checked_mul(line.quantity)?.checked_add(sum));
    let amount = sum.filter(|sum| *sum <= AMOUNT_MAX).ok_or_else(|| {
        ApiError::invalid("The Checkout Session's total amount due must be no more than 99999999.")
            .code("amount_too_large")
    })?;
    let least = smallest(currency);
    if amount < least {
        let message = format!(
            "The Checkout Session's total amount due must add up to at least {} {}",
            amount_text(least, currency),
            currency.to_uppercase()
        );
        return Err(ApiError::invalid(message).code("amount_too_small"));
    }
    Ok(amount)
}

/// The least that Stripe charges, in minor units (`docs.stripe.com/currencies#minimum-and-maximum-charge-amounts`);
/// for currencies that it doesn't list, roughly 50 US cents.
pub fn smallest(currency: &str) -> i64 {
    match currency {
        "gbp" => 30,
        "jpy" => 50,
        "hkd" | "cny" => 400,
        "mxn" | "thb" | "twd" => 1_000,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "myr" | "pln" | "aed" => 200,
        _ => 50,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn line(unit_amount: i64, quantity: i64) -> Line {
        Line {
            id: String::new(),
            price: String::new(),
            product: String::new(),
            name: String::new(),
            unit_amount,
            quantity,
            metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn a_total_stays_between_stripes_least_and_eight_digits() {
        assert!(total(&[line(399, 1)], "cny").is_err());
        assert_eq!(total(&[line(399, 1), line(1, 1)], "cny").unwrap(), 400);
        assert_eq!(total(&[line(AMOUNT_MAX, 1)], "cny").unwrap(), AMOUNT_MAX);
        assert!(total(&[line(AMOUNT_MAX, 1), line(1, 1)], "cny").is_err());
        assert!(total(&[line(AMOUNT_MAX, i64::MAX)], "cny").is_err());
    }
}
