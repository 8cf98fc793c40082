//! `wharfmq serve`.

use tracing::info;

use super::args::ServeOptions;
use super::{Failure, logging};
use crate::config::{self, dev_tls};
use crate::serve;

/// Runs the broker until it is told to stop.
pub(super) fn serve(options: ServeOptions) -> Result<(), Failure> {
    let loaded = config::load(&options.sources(std::env::vars_os()))?;
    serve::check(&loaded)?;
    let settings = loaded.settings;
    logging::start(&settings.log);
    if settings.dev_tls {
        let files = dev_tls::make(&settings.data_dir)
            .map_err(|error| Failure::Run(format!("certificates for --dev-tls: {error}")))?;
        let ca = files.ca.canonicalize().unwrap_or(files.ca);
        info!("made certificates for localhost; clients trust them by the CA file {}", ca.display());
    }
    serve::run(settings).map_err(|error| Failure::Run(error.to_string()))
}
