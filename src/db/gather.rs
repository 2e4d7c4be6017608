//! Requests that look for a row of the same kind, or write one, at the same time are answered together: what asks while one
//! look is on its way is read by the next one, set by set. As with placing there is no timer: who asks alone waits for nobody.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Conn, Pool, connect};
use crate::error::{AppError, Code, Result};

/// Rows that are read together at most.
const BATCH_MAX: usize = 256;
/// Who asks when that many wait is told to come back.
const WAITING_MAX: usize = 10_000;

/// Reads what is there of these; what isn't is left out.
pub type Read<K, V> =
    Box<dyn for<'a> Fn(&'a mut Conn, &'a [K]) -> BoxFuture<'a, Result<HashMap<K, V>>> + Send + Sync>;

struct Asked<K, V> {
    key: K,
    answer: oneshot::Sender<Result<Option<V>>>,
}

/// Where is asked.
pub struct Gather<K, V>(mpsc::Sender<Asked<K, V>>);

/// The other end, for [`run`]. Several may run beside one another: while one reads, the next one takes what asks meanwhile.
pub struct Questions<K, V>(Arc<Mutex<mpsc::Receiver<Asked<K, V>>>>);

impl<K, V> Clone for Questions<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Gather<K, V> {
    pub fn new() -> (Self, Questions<K, V>) {
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        (Self(ask), Questions(Arc::new(Mutex::new(asked))))
    }

    /// What there is under a key, as it stands after this was called.
    ///
    /// # Errors
    /// `busy` when too many wait; the database's.
    pub async fn load(&self, key: K) -> Result<Option<V>> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Asked { key, answer }).map_err(|_| AppError::busy())?;
        answered.await.map_err(|_| AppError::busy())?
    }
}

/// Reads until the task is ended.
pub async fn run<K, V>(pool: Pool, Questions(queue): Questions<K, V>, read: Read<K, V>)
where
    K: Clone + Eq + Hash + Ord,
    V: Clone,
{
    let mut asked = Vec::with_capacity(BATCH_MAX);
    while take(&queue, &mut asked).await > 0 {
        let keys: BTreeSet<K> = asked.iter().map(|one: &Asked<K, V>| one.key.clone()).collect();
        let keys: Vec<K> = keys.into_iter().collect();
        let found = async { read(&mut *connect(&pool).await?, &keys).await };
        match found.await {
            // Who no longer waits needs no answer.
            Ok(mut found) => {
                let is_asked_once = keys.len() == asked.len();
                asked.drain(..).for_each(|one| {
                    let row =
                        if is_asked_once { found.remove(&one.key) } else { found.get(&one.key).cloned() };
                    let _ = one.answer.send(Ok(row));
                });
            }
            Err(error) => {
                let (code, why) = (error.code, error.cause().map(ToString::to_string));
                asked.drain(..).for_each(|one| {
                    let told = match &why {
                        _ if code == Code::Busy => AppError::busy(),
                        Some(why) => AppError::internal(why.clone()),
                        None => code.error(),
                    };
                    let _ = one.answer.send(Err(told));
                });
            }
        }
    }
}

/// Waits until somebody asks; how many do.
async fn take<K, V>(queue: &Mutex<mpsc::Receiver<Asked<K, V>>>, asked: &mut Vec<Asked<K, V>>) -> usize {
    queue.lock().await.recv_many(asked, BATCH_MAX).await
}
