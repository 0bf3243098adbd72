//! What the nodes of one cluster have in common: a directory, a cookie, and Erlang's port mapper.

use std::fs::Permissions;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::installation::{PATH, epmd};
use super::ports::{Ports, loopback};
use super::warden::Warden;
use crate::failure::{Doing, Outcome};
use crate::patience::until;
use crate::process::Process;
use crate::programs::workspace;

/// Counts the sites of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A place for nodes. Dropping it ends the port mapper and whatever else is left; the nodes go first.
#[derive(Debug)]
pub struct Site {
    directory: PathBuf,
    mapper: u16,
    /// Held for its end only, as are the rest.
    _epmd: Process,
    _ports: Ports,
    _warden: Warden,
}

impl Site {
    /// A place under `target/rabbitmq/` with a running port mapper.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when a file cannot be written or the mapper does not start.
    pub async fn open() -> Outcome<Self> {
        let all = workspace().join("target").join("rabbitmq");
        clear_away(&all);
        let directory = all.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        // One of the same name is of another process that had this process's id.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("log")).doing(directory.display())?;

        let cookie = directory.join(".erlang.cookie");
        std::fs::write(&cookie, "LOOPBACKONLY").doing(cookie.display())?;
        std::fs::set_permissions(&cookie, Permissions::from_mode(0o400)).doing(cookie.display())?;

        // First, so that there is never anything to end and nobody to do it.
        let warden = Warden::over(&directory)?;
        let ports = Ports::claim()?;
        let mapper = ports.mapper();
        let mut args = environment(&directory, mapper);
        args.push(epmd()?.to_string_lossy().into_owned());
        args.extend(["-address", "127.0.0.1", "-port", &mapper.to_string()].map(str::to_owned));
        let epmd = Process::start(Path::new("env"), &args, &[], &directory.join("log").join("epmd.log"))?;
        until("the port mapper listens", async || Ok(TcpStream::connect(loopback(mapper)).is_ok())).await?;
        Ok(Self { directory, mapper, _epmd: epmd, _ports: ports, _warden: warden })
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Arguments of `env` with which a program of this site starts: nothing of the environment of the tests reaches it.
    pub(super) fn environment(&self) -> Vec<String> {
        environment(&self.directory, self.mapper)
    }
}

fn environment(directory: &Path, mapper: u16) -> Vec<String> {
    vec![
        "-i".to_owned(),
        format!("PATH={PATH}"),
        "LANG=C.UTF-8".to_owned(),
        // The cookie is looked for here, and the warden knows the site's processes by it.
        format!("HOME={}", directory.display()),
        "ERL_EPMD_ADDRESS=127.0.0.1".to_owned(),
        format!("ERL_EPMD_PORT={mapper}"),
    ]
}

/// Removes what test processes that are no more have left: their logs.
fn clear_away(all: &Path) {
    let Ok(entries) = std::fs::read_dir(all) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            // Another test process may be clearing it away as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
