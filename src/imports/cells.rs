//! CSV (RFC 4180) as it comes and goes: encodings, headers, cells. Pure.

use std::collections::BTreeSet;

use encoding_rs::{Encoding, GB18030, UTF_8};

use super::Column;
use crate::error::{AppError, Code, FieldError, Result};

/// A longer file is several files.
pub const LINES_MAX: usize = 100_000;
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// A file that was read: the names of its columns and the lines below them, blank ones left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    pub columns: Vec<String>,
    /// (line of the file, cells)
    pub rows: Vec<(i32, Vec<String>)>,
}

/// The charset of a media type such as `text/csv; charset=gb18030`, none where it says none.
pub fn charset_of(media_type: &str) -> Option<&str> {
    let parameters = media_type.split(';').skip(1).filter_map(|part| part.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charsets.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// The text of a file. UTF-8, with or without a byte order mark, unless the media type says that it is GB18030 (or its
/// subsets GBK and GB2312): nothing is guessed.
///
/// # Errors
/// `csv_encoding`.
pub fn decode(bytes: &[u8], charset: Option<&str>) -> Result<String> {
    let encoding = match charset.map(|label| Encoding::for_label(label.as_bytes())) {
        None => UTF_8,
        Some(Some(known)) if known == UTF_8 => UTF_8,
        Some(Some(known)) if known == GB18030 || known == encoding_rs::GBK => GB18030,
        Some(_) => return Err(Code::CsvEncoding.because("Expected charset utf-8 or gb18030.")),
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    let text = text.filter(|text| !text.contains('\0'));
    let why = "The file is not UTF-8: save it as such, or say `text/csv; charset=gb18030`.";
    text.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        Code::CsvEncoding.because(if encoding == UTF_8 { why } else { "The file is not GB18030." })
    })
}

/// Reads a file whose columns must be among `known`, with every required one, each once, in any order.
///
/// # Errors
/// `csv_encoding`; `csv_columns` with each wrong column; `csv_too_long`; `csv_empty`.
pub fn read(bytes: &[u8], charset: Option<&str>, known: &[Column]) -> Result<Sheet> {
    let text = decode(bytes, charset)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| Code::CsvEncoding.error())?;
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    check(&columns, known)?;
    let (mut rows, mut lines) = (Vec::new(), Lines::of(&text));
    for record in reader.records() {
        let record = record.map_err(|_| Code::CsvEncoding.error())?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if rows.len() == LINES_MAX {
            return Err(Code::CsvTooLong.because(format!("Expected at most {LINES_MAX} lines.")));
        }
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        rows.push((line, record.iter().map(unescape).collect()));
    }
    if rows.is_empty() { Err(Code::CsvEmpty.error()) } else { Ok(Sheet { columns, rows }) }
}

/// Lines of a text, counted as they come. csv counts them by itself, and is one behind after a carriage return.
struct Lines<'a> {
    rest: &'a [u8],
    passed: usize,
    line: i32,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { rest: text.as_bytes(), passed: 0, line: 1 }
    }

    /// The line of what stands at that byte, or of what comes first after the line ends that stand there; bytes are asked
    /// for in order.
    fn at(&mut self, byte: u64) -> i32 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX).saturating_sub(self.passed);
        let ends = self.rest.iter().skip(start).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (passed, rest) = self.rest.split_at_checked(start + ends).unwrap_or((self.rest, &[]));
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(i32::try_from(breaks).unwrap_or(i32::MAX));
        (self.rest, self.passed) = (rest, self.passed + passed.len());
        self.line
    }
}

fn check(columns: &[String], known: &[Column]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in columns {
        let detail = match known.iter().any(|column| column.name == name) {
            false => "there is no such column",
            true if seen.insert(name) => continue,
            true => "named twice",
        };
        wrong.push(FieldError { field: name.clone(), detail: detail.to_owned() });
    }
    let is_missing = |column: &&Column| column.is_required && !columns.iter().any(|name| name == column.name);
    wrong.extend(
        known
            .iter()
            .filter(is_missing)
            .map(|column| FieldError { field: column.name.to_owned(), detail: "missing column".to_owned() }),
    );
    if wrong.is_empty() {
        return Ok(());
    }
    let mut error = Code::CsvColumns.error();
    error.errors = wrong;
    Err(error)
}

/// What spreadsheets take for a formula (OWASP, "CSV Injection"), and the mark that keeps them from it.
fn is_marked(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

/// A cell as it is written: led by an apostrophe where a spreadsheet would compute it.
pub fn escape(cell: &str) -> String {
    if is_marked(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// What [`escape`] was given.
pub fn unescape(cell: &str) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if is_marked(rest) => rest.to_owned(),
        _ => cell.to_owned(),
    }
}

/// One line of a file, with its end.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells.into_iter().map(escape)).map_err(AppError::internal)?;
    writer.into_inner().map_err(|error| AppError::internal(error.into_error()))
}

/// Several values in one cell: `a|b`; what separates is led by a backslash where it is meant.
pub fn join<'a>(values: impl IntoIterator<Item = &'a str>, separator: char) -> String {
    let mut cell = String::new();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            cell.push(separator);
        }
        for c in value.chars() {
            if c == separator || c == '\\' {
                cell.push('\\');
            }
            cell.push(c);
        }
    }
    cell
}

/// What [`join`] was given; an empty cell holds nothing.
pub fn split(cell: &str, separator: char) -> Vec<String> {
    if cell.is_empty() {
        return Vec::new();
    }
    let mut values = vec![String::new()];
    let mut is_meant = false;
    for c in cell.chars() {
        match c {
            '\\' if !is_meant => {
                is_meant = true;
                continue;
            }
            c if c == separator && !is_meant => values.push(String::new()),
            c => {
                if let Some(last) = values.last_mut() {
                    last.push(c);
                }
            }
        }
        is_meant = false;
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[Column] =
        &[Column { name: "sku", is_required: true }, Column { name: "name", is_required: false }];

    fn sheet(text: &str) -> Sheet {
        read(text.as_bytes(), None, KNOWN).unwrap()
    }

    #[test]
    fn columns_come_in_any_order_and_lines_know_where_they_stand() {
        let read = sheet("Name , SKU\r\n\"two\nlines\",A\n\n,,\n'=1+1,B\n");
        assert_eq!(read.columns, ["name", "sku"]);
        let cell = |index: usize| read.rows[index].1.join(";");
        assert_eq!((read.rows[0].0, cell(0)), (2, "two\nlines;A".to_owned()));
        assert_eq!((read.rows[1].0, cell(1)), (6, "=1+1;B".to_owned()));
        assert_eq!(sheet("\u{feff}sku\nA").columns, ["sku"]);
        // Too few or too many cells are a line's own fault.
        assert_eq!(sheet("sku,name\nA\nB,b,c\n").rows.len(), 2);
    }

    #[test]
    fn wrong_columns_are_all_named() {
        let refused = read(b"nam,name,name\nA", None, KNOWN).unwrap_err();
        let named: Vec<_> = refused.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!((refused.code, named), (Code::CsvColumns, vec!["nam", "name", "sku"]));
        let code = |text: &[u8]| read(text, None, KNOWN).unwrap_err().code;
        assert_eq!(
            (code(b""), code(b"sku\n"), code(b"sku\n\n,\n")),
            (Code::CsvColumns, Code::CsvEmpty, Code::CsvEmpty)
        );
    }

    #[test]
    fn a_line_more_than_the_most_is_refused() {
        let lines = |count: usize| format!("sku\n{}", "A\n".repeat(count));
        assert_eq!(read(lines(LINES_MAX).as_bytes(), None, KNOWN).unwrap().rows.len(), LINES_MAX);
        let refused = read(lines(LINES_MAX + 1).as_bytes(), None, KNOWN).unwrap_err();
        assert_eq!(refused.code, Code::CsvTooLong);
    }

    #[test]
    fn an_encoding_is_utf_8_or_what_is_said() {
        let gb = b"\xb9\xda\xc3\xd7"; // 冠米
        assert_eq!(decode(gb, Some("GB18030")).unwrap(), "冠米");
        assert_eq!(decode(gb, Some("gbk")).unwrap(), "冠米");
        assert_eq!(decode("冠米".as_bytes(), Some("utf-8")).unwrap(), "冠米");
        let code = |bytes: &[u8], charset| decode(bytes, charset).unwrap_err().code;
        assert_eq!(code(gb, None), Code::CsvEncoding);
        assert_eq!(code(b"\xff\xfea\0", None), Code::CsvEncoding);
        assert_eq!(code(b"a\0", None), Code::CsvEncoding);
        assert_eq!(code(b"\xff", Some("gb18030")), Code::CsvEncoding);
        assert_eq!(code(b"a", Some("utf-16")), Code::CsvEncoding);
        assert_eq!(code(b"a", Some("no-such")), Code::CsvEncoding);
        assert_eq!(charset_of("text/csv; header=present; Charset=\"gb18030\""), Some("gb18030"));
        assert_eq!(charset_of("text/csv"), None);
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted", "'=1"] {
            let written = escape(cell);
            assert!(written.starts_with('\''), "{cell}");
            assert_eq!(unescape(&written), cell);
        }
        assert_eq!(
            (escape("a=1").as_str(), unescape("'tis").as_str(), unescape("'").as_str()),
            ("a=1", "'tis", "'")
        );
        assert_eq!(line(["a", "=b", "c,\"d\""]).unwrap(), b"a,'=b,\"c,\"\"d\"\"\"\n");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(cells in prop::collection::vec("[-=+@'\t a-c,\"\n|\\\\冠]{0,6}", 2..3)) {
            prop_assume!(cells.iter().any(|cell| !cell.trim().is_empty()));
            let mut text = b"sku,name\n".to_vec();
            text.extend(line(cells.iter().map(String::as_str)).unwrap());
            prop_assert_eq!(&read(&text, None, KNOWN).unwrap().rows[0].1, &cells);
        }

        #[test]
        fn lists_read_back(values in prop::collection::vec("[a-b|\\\\*冠]{1,4}", 0..4)) {
            let cell = join(values.iter().map(String::as_str), '|');
            prop_assert_eq!(split(&cell, '|'), values);
        }
    }
}
