//! The demo's memory: an append-only file of JSON lines, one a changed row, replayed at the next start.
//!
//! Lines go through a channel to a thread of their own, so no lock is held while the disk works. At a start the file
//! is rewritten with the last version of each row and then replaced by rename: it doesn't grow over restarts, and a
//! last line that was torn by a crash is gone.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::Row;

#[derive(Serialize)]
struct Put<'a, T> {
    kind: &'static str,
    row: &'a T,
}

/// A line read back; the row is parsed once its kind is known.
#[derive(Deserialize)]
pub struct Entry {
    pub kind: String,
    pub row: Value,
}

/// The writing end; clones share the file.
#[derive(Clone)]
pub struct Log {
    lines: Sender<Message>,
}

enum Message {
    Line(Vec<u8>),
    /// All rows known at the start have been sent: the new file may take the old one's place.
    Complete,
    /// Answer when everything before is written.
    Flush(Sender<()>),
}

impl Log {
    /// Starts a new file beside `path`; it replaces `path` when [`Log::complete`] is called.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension("new");
        let file = BufWriter::new(File::create(&fresh)?);
        let (lines, received) = channel();
        let path = path.to_owned();
        std::thread::Builder::new()
            .name("stripe-journal".to_owned())
            .spawn(move || write_all(file, &received, &fresh, &path))?;
        Ok(Self { lines })
    }

    pub fn put<T: Row>(&self, row: &T) {
        match serde_json::to_vec(&Put { kind: T::KIND, row }) {
            // The writer is gone only when the process ends.
            Ok(line) => drop(self.lines.send(Message::Line(line))),
            Err(error) => tracing::error!(%error, kind = T::KIND, "the simulator's journal lost a row"),
        }
    }

    pub fn complete(&self) {
        let _ = self.lines.send(Message::Complete);
    }

    /// Waits until what was put so far has reached the operating system.
    pub fn flush(&self) {
        let (done, wait) = channel();
        if self.lines.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

fn write_all(mut file: BufWriter<File>, received: &Receiver<Message>, fresh: &Path, path: &Path) {
    let mut work = || -> std::io::Result<()> {
        while let Ok(first) = received.recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        file.write_all(&line)?;
                        file.write_all(b"\n")?;
                    }
                    Message::Complete => {
                        file.flush()?;
                        std::fs::rename(fresh, path)?;
                    }
                    Message::Flush(done) => {
                        file.flush()?;
                        let _ = done.send(());
                    }
                }
                next = received.try_recv().ok();
            }
            file.flush()?;
        }
        Ok(())
    };
    if let Err(error) = work() {
        tracing::error!(%error, "the simulator's journal can't be written; it forgets at the next start");
    }
}

/// Reads a journal; a file that isn't there is an empty one. A line that can't be read is skipped: the last one may
/// be torn by a crash.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        if let Ok(entry) = serde_json::from_slice(&line?) {
            entries.push(entry);
        }
    }
    Ok(entries)
}
