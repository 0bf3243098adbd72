//! Where the system keeps RabbitMQ's programs.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::failure::{Doing, Failure, Outcome};

/// Where Debian's package puts each version.
const VERSIONS: &str = "/usr/lib/rabbitmq/lib";

/// The path that the broker's scripts get: they call `erl`, `dirname` and their like.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One of RabbitMQ's own scripts. Those in `/usr/sbin` change the user, and are not these.
///
/// # Errors
/// [`Failure`] with the command that installs the broker where it is missing.
pub fn script(name: &str) -> Outcome<PathBuf> {
    static SCRIPTS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(scripts) = SCRIPTS.get_or_init(find) else {
        return Err(Failure::new(format!(
            "RabbitMQ is not installed: no rabbitmq_server-*/sbin in {VERSIONS}. To install it: tests/run --prepare, \
             or as root: apt-get install --no-install-recommends rabbitmq-server"
        )));
    };
    Ok(scripts.join(name))
}

fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    let scripts = versions.flatten().map(|version| version.path().join("sbin"));
    scripts.filter(|scripts| scripts.join("rabbitmq-server").exists()).max()
}

/// Erlang's port mapper.
///
/// # Errors
/// [`Failure`] when it is not there, which it is where RabbitMQ is.
pub(super) fn epmd() -> Outcome<PathBuf> {
    let places = PATH.split(':').map(|place| Path::new(place).join("epmd"));
    places.into_iter().find(|place| place.exists()).doing("looking for epmd. To install it: tests/run --prepare")
}
