//! The operators behind the sale: they pick, pack and hand in what they sent, several at once, and take back what comes
//! back. All of it by the admin API, as people with a browser and a spreadsheet would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::person::Person;
use super::sale::Sale;
use super::visit::{Call, Trouble, Visit, trouble};

/// How many work at a time.
pub const OPERATORS: u32 = 4;
/// Lists that each makes, where nobody is slower than the others.
const LISTS_EACH: u32 = 2;
const LIST_MAX: u32 = 2_000;
const CARRIER: &str = "顺丰";
/// Between two looks at a file that was handed in.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long a file, or nothing new on the list of returns, is waited for.
const FILE_MAX: Duration = Duration::from_secs(120);

/// The address of an operator.
pub fn email(operator: u32) -> String {
    format!("operator{operator}@shop.test")
}

/// How far the packing has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Lists whose file was taken in; it may not be done yet.
    pub handed_in: u32,
    /// Nobody packs any more.
    pub ended: bool,
}

pub struct Desk {
    sale: Arc<Sale>,
    /// Operators come from addresses that no buyer has, another one a visit: it isn't the address limit that is rehearsed.
    addresses_from: u32,
    visits: AtomicU32,
    /// Orders of one list.
    list: u32,
    /// Lists that are expected.
    lists: u32,
    packed: watch::Sender<Packed>,
}

/// A return that was asked for.
struct Asked {
    id: String,
    /// Its lines, all of which go back on sale.
    arrived: Value,
}

impl Desk {
    /// For so many parcels, beside so many buyers.
    pub fn new(sale: Arc<Sale>, buyers: u32, parcels: u32) -> Self {
        let list = parcels_of_a_list(parcels);
        Self {
            sale,
            addresses_from: buyers,
            visits: AtomicU32::new(0),
            list,
            lists: parcels.div_ceil(list),
            packed: watch::Sender::new(Packed::default()),
        }
    }

    pub fn lists(&self) -> u32 {
        self.lists
    }

    pub fn packed(&self) -> watch::Receiver<Packed> {
        self.packed.subscribe()
    }

    pub fn close(&self) {
        self.packed.send_modify(|packed| packed.ended = true);
    }

    async fn enter(&self) -> Result<Visit<'_>, Trouble> {
        let index = self.addresses_from + self.visits.fetch_add(1, Ordering::Relaxed);
        self.sale.enter(index).await.map_err(|error| trouble(error.to_string()))
    }

    async fn sign_in(&self, operator: u32) -> Result<Person, Trouble> {
        let mut person = Person::new(email(operator));
        person.sign_in(&self.enter().await?).await?;
        Ok(person)
    }

    /// Makes list after list, and sends what is on it, until nothing is left to pick.
    ///
    /// # Errors
    /// What should not happen.
    pub async fn pack(&self, operator: u32) -> Result<(), Trouble> {
        let mut person = self.sign_in(operator).await?;
        for round in 0_u32.. {
            let visit = self.enter().await?;
            let (body, key) = (json!({ "orders": self.list }), format!("pick-{operator}-{round}"));
            let made = person.ask(&visit, Call::post("/v1/admin/pick-lists", &body).key(&key)).await?;
            match (made.status, made.code()) {
                (201, _) => {}
                (409, "nothing_to_pick") => break,
                (status, code) => return Err(trouble(format!("a pick list: {status} {code}"))),
            }
            let path = format!("/v1/admin/pick-lists/{}", made.text("/id"));
            let sheet = person.demand(&visit, Call::get_csv(&path), 200).await?;
            let file = filled_in(sheet.text(""))?;
            self.hand_in(&mut person, &visit, &file).await?;
            let list = person.demand(&visit, Call::get(&path), 200).await?;
            if list.body.pointer("/open").and_then(Value::as_i64) != Some(0) {
                return Err(trouble(format!("{path}: all was sent, and it says {}", list.body)));
            }
        }
        Ok(())
    }

    /// Hands a file of parcels in and waits until it is done. Where the answer was lost it is handed in again, and each
    /// parcel is sent once all the same.
    async fn hand_in(&self, person: &mut Person, visit: &Visit<'_>, file: &str) -> Result<(), Trouble> {
        let taken = person.demand(visit, Call::post_csv("/v1/admin/shipment-imports", file), 202).await?;
        self.packed.send_modify(|packed| packed.handed_in += 1);
        let path = format!("/v1/admin/shipment-imports/{}", taken.text("/id"));
        let begun = Instant::now();
        while begun.elapsed() < FILE_MAX {
            let import = person.demand(visit, Call::get(&path), 200).await?;
            let failed = import.body.pointer("/lines_failed").and_then(Value::as_i64);
            match (import.text("/state"), failed) {
                ("done", Some(0)) => return Ok(()),
                ("queued" | "running", Some(0)) => sleep(LOOK_EVERY).await,
                _ => return Err(trouble(format!("{path}: {}", import.body))),
            }
        }
        Err(trouble(format!("{path}: it was never done")))
    }

    /// Leads returns to their end, these operators' share of all that were asked for.
    ///
    /// # Errors
    /// What should not happen.
    pub async fn take_back(&self, operator: u32) -> Result<(), Trouble> {
        let mut person = self.sign_in(operator).await?;
        for (index, asked) in (0_u32..).zip(self.asked(&mut person).await?) {
            if index % OPERATORS == operator {
                self.lead(&mut person, &asked).await?;
            }
        }
        Ok(())
    }

    /// All returns, whoever has begun with them: each operator sees the same list.
    async fn asked(&self, person: &mut Person) -> Result<Vec<Asked>, Trouble> {
        let visit = self.enter().await?;
        let (mut asked, mut path) = (Vec::new(), "/v1/admin/returns?limit=100".to_owned());
        loop {
            let page = person.demand(&visit, Call::get(&path), 200).await?;
            for row in page.body.pointer("/data").and_then(Value::as_array).into_iter().flatten() {
                let id = row.pointer("/id").and_then(Value::as_str).unwrap_or_default();
                let lines = row.pointer("/lines").and_then(Value::as_array).into_iter().flatten();
                let arrived =
                    lines.map(|line| json!({ "line": line.get("line"), "restock": line.get("quantity") }));
                asked.push(Asked { id: id.to_owned(), arrived: arrived.collect() });
            }
            match page.text("/next_cursor") {
                "" => return Ok(asked),
                next => path = format!("/v1/admin/returns?limit=100&cursor={next}"),
            }
        }
    }

    /// It may be sent back, it has arrived and can be sold again, its money goes back.
    async fn lead(&self, person: &mut Person, asked: &Asked) -> Result<(), Trouble> {
        let visit = self.enter().await?;
        let steps = [
            ("approve", "approved", json!({ "instructions": "请寄回仓库，运费到付。" })),
            ("receive", "received", json!({ "lines": asked.arrived })),
            ("refund", "refunded", json!({})),
        ];
        for (step, state, body) in steps {
            let path = format!("/v1/admin/returns/{}/{step}", asked.id);
            let key = format!("{}-{step}", asked.id);
            let answer = person.demand(&visit, Call::post(&path, &body).key(&key), 200).await?;
            if answer.text("/state") != state {
                return Err(trouble(format!("{path}: it is {}", answer.text("/state"))));
            }
        }
        Ok(())
    }
}

/// How many orders a list has where so many are to be sent.
fn parcels_of_a_list(parcels: u32) -> u32 {
    parcels.div_ceil(OPERATORS * LISTS_EACH).clamp(1, LIST_MAX)
}

/// A pick list with the carrier and a tracking number beside each line: one parcel an order.
fn filled_in(sheet: &str) -> Result<String, Trouble> {
    let broken = |error: csv::Error| trouble(format!("a pick list can't be read: {error}"));
    let mut reader = csv::Reader::from_reader(sheet.trim_start_matches('\u{feff}').as_bytes());
    let columns = reader.headers().map_err(broken)?.clone();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns).map_err(broken)?;
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let number = columns.iter().zip(&row).find(|(column, _)| *column == "order").map(|(_, cell)| cell);
        let number = number.ok_or_else(|| trouble("a pick list without orders"))?;
        let tracking_number = format!("SF{number}");
        let cells = columns.iter().zip(&row).map(|(column, cell)| match column {
            "carrier" => CARRIER,
            "tracking_number" => &tracking_number,
            _ => cell,
        });
        writer.write_record(cells).map_err(broken)?;
    }
    let bytes = writer.into_inner().map_err(|error| trouble(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| trouble(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_filled_in_whatever_its_cells_hold() {
        let sheet =
            "\u{feff}order,title,line1,carrier,tracking_number\n20140617-A,书盒,\"1, Main \"\"St\"\"\",,\n";
        let wanted = "order,title,line1,carrier,tracking_number\n20140617-A,书盒,\"1, Main \"\"St\"\"\",顺丰,SF20140617-A\n";
        assert_eq!(filled_in(sheet).unwrap(), wanted);
        assert!(filled_in("title,carrier\n书盒,\n").is_err());
    }

    #[test]
    fn lists_are_shared_among_all_operators() {
        let (sizes, mut lists) = ([1, 3, 80, 8_000, 100_000], Vec::new());
        for parcels in sizes {
            let list = parcels_of_a_list(parcels);
            lists.push((list, u32::div_ceil(parcels, list)));
        }
        assert_eq!(lists, [(1, 1), (1, 3), (10, 8), (1_000, 8), (2_000, 50)]);
    }
}
