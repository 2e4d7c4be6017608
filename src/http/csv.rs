//! Answers as CSV (RFC 4180), for who asks for `text/csv`.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

/// The media type, with its encoding.
pub const CSV: &str = "text/csv; charset=utf-8";

/// Does the caller name CSV among what he takes? JSON is what everybody gets who doesn't.
pub fn is_wanted(request: &HttpRequest) -> bool {
    let accept = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accept.flat_map(|text| text.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_csv = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/csv"));
        is_csv && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Adds a line of cells.
pub fn push_row(out: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(out, cell);
    }
    out.push_str("\r\n");
}

/// A spreadsheet would run what begins like a formula: an apostrophe before it makes it text (OWASP, "CSV Injection").
fn push_cell(out: &mut String, cell: &str) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if !is_formula && !cell.contains([',', '"', '\r', '\n']) {
        out.push_str(cell);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&cell.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        let row = |cells: &[&str]| {
            let mut out = String::new();
            push_row(&mut out, cells);
            out
        };
        assert_eq!(row(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(
            row(&["a,b", "say \"hi\"", "two\nlines"]),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n"
        );
        assert_eq!(row(&["=1+1", "@SUM(A1)", "-2", "1-2"]), "\"'=1+1\",\"'@SUM(A1)\",\"'-2\",1-2\r\n");
    }

    #[test]
    fn csv_is_for_who_asks_for_it() {
        let asks = |accept: &str| {
            is_wanted(&TestRequest::default().insert_header(("Accept", accept)).to_http_request())
        };
        assert!(asks("text/csv") && asks("application/json;q=0.5, Text/CSV;q=0.9"));
        assert!(!asks("*/*") && !asks("application/json") && !asks("text/csv;q=0") && !asks("text/html"));
        assert!(!is_wanted(&TestRequest::default().to_http_request()));
    }
}
