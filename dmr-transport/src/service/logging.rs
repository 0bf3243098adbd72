//! Logs to the standard error, as text or as JSON.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for a person.
    #[default]
    Text,
    /// A JSON object on a line, for a collector.
    Json,
}

/// Options for logs. Flatten them into a program's options.
#[derive(Debug, Clone, clap::Args)]
pub struct LogSettings {
    /// What to log: error, warn, info, debug or trace, or by part, as in `info,dmr_server=debug`. No level shows what
    /// a message says or a secret key.
    #[arg(long, value_name = "FILTER", env = "DMR_LOG", default_value = "info")]
    pub log: String,
    /// How to log.
    #[arg(long, value_name = "FORMAT", env = "DMR_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// Why logging could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter cannot be read.
    #[error("not a log filter: {0}")]
    Filter(Box<str>),
    /// This process already logs.
    #[error("this process already logs")]
    Already,
}

/// Checks the filter, without starting anything.
///
/// # Errors
/// [`LogError::Filter`].
pub fn check(settings: &LogSettings) -> Result<(), LogError> {
    filter(settings).map(|_| ())
}

/// Starts logging for this process.
///
/// # Errors
/// [`LogError`].
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(settings)?).with_writer(io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LogError::Already)
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, LogError> {
    let filter =
        EnvFilter::builder().parse(&settings.log).map_err(|error| LogError::Filter(error.to_string().into()))?;
    // The AMQP library logs as errors what is handled here, and envelopes that the broker returned as warnings. What it
    // has to say is asked for by its name, but for the envelopes.
    let quiet = ["lapin::returned_messages=off", "lapin=off"];
    let asked = settings.log.contains("lapin");
    let directives = quiet.iter().take(if asked { 1 } else { quiet.len() });
    Ok(directives.filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let settings = |log: &str| LogSettings { log: log.into(), log_format: LogFormat::Text };
        assert_eq!(check(&settings("info,dmr_server=debug")), Ok(()));
        assert!(matches!(check(&settings("dmr_server=loud")), Err(LogError::Filter(_))));
    }
}
