//! Reads the plans of whatever was run, and what of them reads too much.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use kindred::db;
use serde_json::Value;

use super::ALLOWED;
use super::database::{Large, names};

/// From so many rows on a table is large.
const LARGE_ROWS: u32 = 5_000;
/// A statement that reads more rows of a large table than that goes through it, whatever index it does so by. Housekeeping
/// deletes 5,000 at a time.
const READ_MAX: f64 = 10_000.0;

/// Until here a look has read.
const MARK: &str = "the log was read until mark";

pub struct Watch {
    folder: PathBuf,
    database: String,
    url: String,
    large: BTreeSet<String>,
    /// How far each of the server's log files was read.
    read_to: BTreeMap<PathBuf, u64>,
    /// The beginning of a plan that was being written.
    unread: String,
    marks: u32,
    pub statements: usize,
    /// By statement and table: what is wrong, and what was done when it was first seen.
    pub findings: BTreeMap<(String, String), String>,
    /// Which of [`ALLOWED`] were needed.
    pub excused: BTreeSet<usize>,
}

impl Watch {
    pub async fn new(large: &Large) -> Self {
        let mut conn = db::establish(&large.url).await.unwrap();
        let sql = format!(
            "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND reltuples >= {LARGE_ROWS} \
             AND relnamespace = 'public'::regnamespace"
        );
        Self {
            folder: large.cluster.home().join("log"),
            database: large.name.clone(),
            url: large.url.clone(),
            large: names(&mut conn, &sql).await.into_iter().collect(),
            read_to: BTreeMap::new(),
            unread: String::new(),
            marks: 0,
            statements: 0,
            findings: BTreeMap::new(),
            excused: BTreeSet::new(),
        }
    }

    pub fn large(&self) -> &BTreeSet<String> {
        &self.large
    }

    /// Judges all that has run since the last look, as part of `what`.
    pub async fn look(&mut self, what: &str) {
        self.marks += 1;
        let mark = format!("{MARK} {} of {}", self.marks, self.database);
        let mut conn = db::establish(&self.url).await.unwrap();
        conn.batch_execute(&format!("SELECT '{mark}'")).await.unwrap();
        let mut text = std::mem::take(&mut self.unread);
        for _ in 0..400 {
            text.push_str(&self.read_on());
            if text.contains(&mark) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert!(text.contains(&mark), "the server's log says nothing of {what}");
        let (plans, end) = plans(&text, &self.database);
        self.unread = text.split_off(end);
        for plan in plans {
            self.statements += 1;
            self.judge(what, &plan);
        }
    }

    /// What the server has written since, in whole lines.
    fn read_on(&mut self) -> String {
        let mut files: Vec<_> =
            std::fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut text = String::new();
        for path in files {
            let from = self.read_to.entry(path.clone()).or_default();
            let mut file = std::fs::File::open(&path).unwrap();
            file.seek(SeekFrom::Start(*from)).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            *from += u64::try_from(whole).unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes[..whole]));
        }
        text
    }

    fn judge(&mut self, what: &str, explained: &Value) {
        let query = explained["Query Text"].as_str().unwrap_or_default();
        let mut nodes = Vec::new();
        collect(&explained["Plan"], &mut nodes);
        for node in nodes {
            let Some(table) = node["Relation Name"].as_str().filter(|table| self.large.contains(*table))
            else {
                continue;
            };
            let kind = node["Node Type"].as_str().unwrap_or_default();
            let number = |field: &str| node[field].as_f64().unwrap_or_default();
            let of_loop =
                ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"].map(number);
            let rows = of_loop.iter().sum::<f64>() * number("Actual Loops");
            if !kind.ends_with("Scan") || (kind != "Seq Scan" && rows <= READ_MAX) {
                continue;
            }
            let excuse = ALLOWED.iter().position(|allowed| {
                (allowed.table.is_empty() || allowed.table == table) && query.contains(allowed.statement)
            });
            if let Some(excuse) = excuse {
                self.excused.insert(excuse);
                continue;
            }
            let by = node["Index Name"].as_str().unwrap_or_default();
            let told = format!("{kind} {by} on {table}, {rows} rows, by {what}:\n    {query}");
            self.findings.entry((query.to_owned(), table.to_owned())).or_insert(told);
        }
    }

    pub fn told(&self) -> String {
        self.findings.values().cloned().collect::<Vec<_>>().join("\n\n")
    }
}

fn collect<'a>(node: &'a Value, into: &mut Vec<&'a Value>) {
    into.push(node);
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, into);
    }
}

/// `… [pid] database LOG:  duration: 0.1 ms  plan:`, and what is indented after it. Of the last one there may only be a
/// part: where it begins.
fn plans(log: &str, database: &str) -> (Vec<Value>, usize) {
    let begins = format!("] {database} LOG:  duration: ");
    let (mut found, mut at) = (Vec::new(), 0);
    let mut lines = log.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let begun = at;
        at += line.len();
        if !line.contains(&begins) || !line.trim_end().ends_with("plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            at += more.len();
            json.push_str(more);
        }
        match serde_json::from_str(&json) {
            Ok(plan) => found.push(plan),
            Err(_) if lines.peek().is_none() => return (found, begun),
            Err(error) => panic!("{error}: {json}"),
        }
    }
    (found, log.len())
}
