//! Passwords: argon2id on a bounded number of threads, so that a flood of sign-ins waits for itself and starves nobody
//! else, and a bounded waiting list, so that it doesn't wait for ever.

pub mod rules;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use super::secrets;
use crate::config::PasswordSettings;
use crate::error::{AppError, Code, Result};

/// How many may wait for each thread that hashes: about two seconds at the default cost.
const WAITING_PER_THREAD: usize = 100;

/// A password as it came in, in Unicode's form NFKC (NIST SP 800-63B §3.1.1.2), so that two keyboards that write the
/// same characters in different ways agree. It is never printed.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    pub fn new(text: &str) -> Self {
        Self(text.nfkc().collect::<String>().into())
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = zeroed(String::deserialize(deserializer)?);
        Ok(Self::new(text.expose_secret()))
    }
}

/// Wraps a text so that its memory is cleared when it is dropped.
fn zeroed(text: String) -> SecretString {
    text.into()
}

/// What came of comparing a password with a hash.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash was made at another cost than today's: here is one to keep instead.
    RightAndRehashed(String),
}

/// Hashes and verifies.
pub struct Hasher {
    argon2: Argon2<'static>,
    rehash: bool,
    /// The hash of a password that nobody has: compared where there is no account, so that it takes as long.
    dummy: String,
    threads: Arc<Semaphore>,
    places: Arc<AtomicUsize>,
    max_waiting: usize,
}

/// A place on the waiting list, given back when dropped (also when the client hangs up).
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Hasher {
    /// Runs on all cores but one (at least one), so that a core is left for everything else.
    ///
    /// # Errors
    /// When argon2 doesn't take the cost.
    pub fn new(settings: &PasswordSettings) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_threads(settings, cores.saturating_sub(1).max(1), WAITING_PER_THREAD)
    }

    fn with_threads(settings: &PasswordSettings, threads: usize, waiting_per_thread: usize) -> Result<Self> {
        let params = Params::new(settings.memory_kib, settings.iterations, settings.lanes, None)
            .map_err(|error| AppError::internal(format!("argon2: {error}")))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash_with(&argon2, &secrets::generate("")?)?;
        Ok(Self {
            argon2,
            rehash: settings.rehash,
            dummy,
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(AtomicUsize::new(0)),
            max_waiting: threads * waiting_per_thread,
        })
    }

    /// A hash to store, in PHC string format.
    ///
    /// # Errors
    /// `busy` when too many wait.
    pub async fn hash(&self, password: &Password) -> Result<String> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || hash_with(&argon2, password.expose())).await
    }

    /// Compares a password with a stored hash; without one it takes the same time and is wrong.
    ///
    /// # Errors
    /// `busy` when too many wait; `internal` for a stored hash that can't be read.
    pub async fn verify(&self, password: &Password, stored: Option<&str>) -> Result<Verdict> {
        let (argon2, password, rehash) = (self.argon2.clone(), password.clone(), self.rehash);
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        self.run(move || {
            let hash = PasswordHash::new(&stored).map_err(|error| AppError::internal(error.to_string()))?;
            let right = argon2.verify_password(password.expose().as_bytes(), &hash).is_ok();
            if !(right && known) {
                return Ok(Verdict::Wrong);
            }
            let outdated = Params::try_from(&hash).is_ok_and(|params| {
                (params.m_cost(), params.t_cost(), params.p_cost())
                    != (argon2.params().m_cost(), argon2.params().t_cost(), argon2.params().p_cost())
            });
            if rehash && outdated {
                return hash_with(&argon2, password.expose()).map(Verdict::RightAndRehashed);
            }
            Ok(Verdict::Right)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = self.enter().await?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(AppError::internal)?
    }

    /// Waits for a thread, in the order of arrival.
    async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        let before = self.places.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.places));
        if before >= self.max_waiting {
            return Err(Code::Busy.error().retry_after(2));
        }
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(AppError::internal)?;
        drop(place);
        Ok(permit)
    }
}

fn hash_with(argon2: &Argon2<'_>, password: &str) -> Result<String> {
    let salt = secrets::random_bytes::<16>()?;
    argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|error| AppError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> PasswordSettings {
        PasswordSettings { memory_kib: 8, iterations: 1, lanes: 1, rehash: true }
    }

    #[tokio::test]
    async fn a_password_is_right_wrong_or_unknown() {
        let hasher = Hasher::new(&cheap()).unwrap();
        let password = Password::new("correct horse");
        let hash = hasher.hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_eq!(hasher.verify(&password, Some(&hash)).await.unwrap(), Verdict::Right);
        let other = Password::new("correct horsf");
        assert_eq!(hasher.verify(&other, Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.verify(&password, None).await.unwrap(), Verdict::Wrong);
        assert!(hasher.verify(&password, Some("plain")).await.is_err());
    }

    #[tokio::test]
    async fn nobodys_hash_costs_as_much_as_somebodys() {
        let settings = PasswordSettings { memory_kib: 16, iterations: 3, ..cheap() };
        let hasher = Hasher::new(&settings).unwrap();
        let real = hasher.hash(&Password::new("correct horse")).await.unwrap();
        let cost = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cost(&hasher.dummy), cost(&real));
        assert_eq!(hasher.dummy.len(), real.len());
    }

    #[tokio::test]
    async fn another_cost_makes_a_new_hash_where_that_is_wanted() {
        let password = Password::new("correct horse");
        let old = Hasher::new(&cheap()).unwrap().hash(&password).await.unwrap();
        let dearer = PasswordSettings { iterations: 2, ..cheap() };
        let hasher = Hasher::new(&dearer).unwrap();
        let Verdict::RightAndRehashed(new) = hasher.verify(&password, Some(&old)).await.unwrap() else {
            panic!("no new hash");
        };
        assert_eq!(hasher.verify(&password, Some(&new)).await.unwrap(), Verdict::Right);
        let hasher = Hasher::new(&PasswordSettings { rehash: false, ..dearer }).unwrap();
        assert_eq!(hasher.verify(&password, Some(&old)).await.unwrap(), Verdict::Right);
    }

    #[tokio::test]
    async fn a_full_waiting_list_refuses_and_recovers() {
        let hasher = Hasher::with_threads(&cheap(), 1, 2).unwrap();
        let first = hasher.enter().await.unwrap();
        let waiting: Vec<_> = (0..2).map(|_| Box::pin(hasher.enter())).collect();
        let mut waiting: futures::stream::FuturesUnordered<_> = waiting.into_iter().collect();
        // Polled once, both are on the list.
        assert!(futures::poll!(futures::StreamExt::next(&mut waiting)).is_pending());
        let refused = hasher.enter().await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after_seconds), (Code::Busy, Some(2)));
        drop((waiting, first));
        assert!(hasher.enter().await.is_ok());
    }

    #[test]
    fn one_text_however_it_is_composed() {
        assert_eq!(Password::new("e\u{301}").expose(), Password::new("é").expose());
        assert_eq!(Password::new("１２３").expose(), "123");
        assert_eq!(format!("{:?}", Password::new("secret")), "Password(…)");
    }
}
