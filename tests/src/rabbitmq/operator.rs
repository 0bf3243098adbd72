//! The scripts that operators get, run against a node as they would run them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::installation::script;
use super::node::Node;
use crate::failure::{Doing, Outcome};
use crate::process::run_well;

impl Node {
    /// Runs a shell script that takes `rabbitmqctl` from the variable `RABBITMQCTL`, as those of `deploy/rabbitmq` do,
    /// to its good end, and returns what it prints.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) with what it said otherwise.
    pub async fn operate(&self, file: &Path, args: &[&str]) -> Outcome<String> {
        // The words hold no quotes: ports, and paths below the workspace.
        let words: Vec<_> = self.environment().iter().map(|word| format!("'{word}'")).collect();
        let program = script("rabbitmqctl")?;
        let text = format!("#!/bin/sh\nexec env {} '{}' \"$@\"\n", words.join(" "), program.display());
        let wrapper = self.path("rabbitmqctl");
        std::fs::write(&wrapper, text).doing(wrapper.display())?;
        std::fs::set_permissions(&wrapper, Permissions::from_mode(0o700)).doing(wrapper.display())?;
        let mut all = vec![format!("RABBITMQCTL={}", wrapper.display()), "sh".to_owned(), file.display().to_string()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let run = move || run_well(Path::new("env"), &all);
        tokio::task::spawn_blocking(run).await.doing("a thread for a script")?
    }
}
