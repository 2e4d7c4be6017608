//! A report as CSV (RFC 4180): UTF-8, a header, lines that end in CR LF. One line a row, and none for the
//! totals: a spreadsheet would sum them up twice. Numbers are written as they are, also below nothing; texts go
//! through [`cell`].

use super::dto::{SalesFigures, SalesReport};

/// Amounts are minor units.
pub fn sales(report: &SalesReport) -> String {
    let head = format!("{},units,orders,revenue_minor,refunds_minor,currency", report.by.as_str());
    lines(&head, &report.data, |SalesFigures { key, units, orders, revenue, refunds }| {
        let (revenue_minor, refunds_minor, currency) = (revenue.amount, refunds.amount, &revenue.currency);
        format!("{},{units},{orders},{revenue_minor},{refunds_minor},{currency}", cell(key))
    })
}

/// The header and a line for each row.
pub fn lines<T>(head: &str, rows: &[T], line: impl Fn(&T) -> String) -> String {
    let mut csv = format!("{head}\r\n");
    for row in rows {
        csv += &line(row);
        csv += "\r\n";
    }
    csv
}

/// A text in a cell. What a spreadsheet would take for a formula is led by an apostrophe (OWASP, "CSV
/// injection").
pub fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(cell("BOX-2014"), "BOX-2014");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1,A2)"), "\"'@SUM(A1,A2)\"");
    }
}
