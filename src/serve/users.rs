//! The users file: read at the start, and again when asked to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use crate::broker::Broker;
use crate::config::Settings;
use crate::security::{Users, random};

/// Where the users of a broker come from.
pub(super) struct Roll {
    file: Option<PathBuf>,
    /// Kept over readings: see [`Users::load`].
    seed: [u8; 32],
    broker: Arc<Broker>,
}

impl Roll {
    /// Reads the file for the first time.
    pub(super) fn read(settings: &Settings, broker: &Arc<Broker>) -> Result<Self, Failure> {
        let roll = Self { file: settings.users_file.clone(), seed: random()?, broker: Arc::clone(broker) };
        if let Some(file) = &roll.file {
            roll.take(file)?;
        }
        Ok(roll)
    }

    /// Reads it again. One that is wrong changes nothing.
    pub(super) fn reload(&self) {
        if let Some(file) = &self.file
            && let Err(why) = self.take(file)
        {
            tracing::error!("the users stay as they were: {why}");
        }
    }

    fn take(&self, file: &Path) -> Result<(), Failure> {
        let loaded = Users::load(file, &self.seed)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let users = loaded.users.len();
        self.broker.set_users(loaded.users)?;
        tracing::info!(users, "users read from {}", file.display());
        Ok(())
    }
}

/// What is wrong with a users file, if anything.
pub(super) fn fault(file: &Path) -> Option<String> {
    Users::load(file, &[0; 32]).err().map(|error| error.to_string())
}
