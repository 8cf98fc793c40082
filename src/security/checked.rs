//! Passwords that were found right a while ago: a fleet that comes back is not to cost a hash each.

use std::collections::HashSet;
use std::fmt;

use aws_lc_rs::hmac;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::Credentials;
use super::verifier::{HASH_BYTES, Hash};

/// How many are kept in each of two halves: the older half goes when the younger is full.
const HALF: usize = 8_192;

/// Names and passwords that were right, as keyed hashes: the key is made at the start and never leaves.
pub(super) struct Checked {
    key: hmac::Key,
    halves: Mutex<[HashSet<Hash, RandomState>; 2]>,
}

impl Checked {
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), halves: Mutex::default() }
    }

    pub(super) fn has(&self, credentials: &Credentials) -> bool {
        let hash = self.hash(credentials);
        self.halves.lock().iter().any(|half| half.contains(&hash))
    }

    pub(super) fn add(&self, credentials: &Credentials) {
        let hash = self.hash(credentials);
        let [young, old] = &mut *self.halves.lock();
        if young.len() >= HALF {
            *old = std::mem::take(young);
        }
        young.insert(hash);
    }

    fn hash(&self, credentials: &Credentials) -> Hash {
        let mut context = hmac::Context::with_key(&self.key);
        // The length keeps the border between the two where it is.
        context.update(&(credentials.user.len() as u64).to_be_bytes());
        context.update(credentials.user.as_bytes());
        context.update(&credentials.password);
        let mut hash = [0; HASH_BYTES];
        hash.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, password: &str) -> Credentials {
        Credentials { user: user.into(), password: password.into() }
    }

    #[test]
    fn only_the_very_same_is_known() {
        let checked = Checked::new(&[1; 32]);
        assert!(!checked.has(&of("ada", "x")));
        checked.add(&of("ada", "x"));
        assert!(checked.has(&of("ada", "x")));
        for other in [of("ada", "y"), of("adax", ""), of("ad", "ax"), of("", "adax"), of("Ada", "x")] {
            assert!(!checked.has(&other), "{other:?}");
        }
    }

    #[test]
    fn it_stays_bounded() {
        let checked = Checked::new(&[1; 32]);
        for n in 0..5 * HALF {
            checked.add(&of("ada", &n.to_string()));
        }
        let [young, old] = &*checked.halves.lock();
        assert!(young.len() + old.len() <= 2 * HALF);
    }
}
