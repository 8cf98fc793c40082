//! Who somebody is: the users file, passwords, and SCRAM. No sockets, no threads, no clock.

mod checked;
mod edit;
mod prepare;
mod principal;
pub mod scram;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod users;
mod verifier;

pub use edit::{EditError, UsersFile};
pub use prepare::{NAME_BYTES_MAX, PASSWORD_BYTES_MAX, PrepareError, prepare_name, prepare_password};
pub use principal::{Credentials, Denied, Principal, Verdict};
pub use users::{Loaded, Users, UsersError, random};
pub use verifier::{ITERATIONS, ITERATIONS_DEFAULT, SALT_BYTES, Verifier, VerifierError};
