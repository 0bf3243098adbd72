//! `rabbitmqctl`, and what is asked of it.

use std::path::Path;
use std::time::Duration;

use super::installation::script;
use super::node::Node;
use crate::failure::{Doing, Failure, Outcome};
use crate::process::run_within;

/// What one command may take: it starts a virtual machine of its own, which costs a second of two cores.
const COMMAND: Duration = Duration::from_secs(60);

impl Node {
    /// Runs `rabbitmqctl --quiet` with these arguments, and returns what it prints.
    ///
    /// # Errors
    /// [`Failure`] with what it said when it ended otherwise than well.
    pub async fn ctl(&self, args: &[&str]) -> Outcome<String> {
        let mut all = self.environment();
        all.push(script("rabbitmqctl")?.display().to_string());
        all.push("--quiet".to_owned());
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let run = move || run_within(COMMAND, Path::new("env"), &all);
        let ended = tokio::task::spawn_blocking(run).await.doing("a thread for rabbitmqctl")??;
        if ended.code == Some(0) {
            return Ok(ended.stdout);
        }
        let words = args.join(" ");
        Err(Failure::new(format!("rabbitmqctl {words} ended with {:?}:\n{}{}", ended.code, ended.stdout, ended.stderr)))
    }

    /// Evaluates an Erlang expression inside the node, and returns its value as Erlang prints it.
    ///
    /// # Errors
    /// [`Failure`] with Erlang's words.
    pub async fn eval(&self, expression: &str) -> Outcome<String> {
        Ok(self.ctl(&["eval", expression]).await?.trim().to_owned())
    }

    /// Loads the users, policies, queues and so on of a definitions file.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn import_definitions(&self, file: &Path) -> Outcome {
        self.ctl(&["import_definitions", &file.to_string_lossy()]).await.map(drop)
    }

    /// Adds a virtual host in which `guest` may do everything: a room of its own for a test on a shared node. Returns
    /// the URL to connect to.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn add_vhost(&self, name: &str) -> Outcome<String> {
        let management = self.management()?;
        management.put(&format!("/api/vhosts/{name}"), &serde_json::json!({})).await?.well()?;
        let everything = serde_json::json!({ "configure": ".*", "write": ".*", "read": ".*" });
        management.put(&format!("/api/permissions/{name}/guest"), &everything).await?.well()?;
        Ok(format!("{}/{name}", self.amqp_url()))
    }

    /// Sets a policy of the default virtual host for the queues whose names match `pattern`; `definition` is JSON.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn set_policy(&self, name: &str, pattern: &str, definition: &serde_json::Value) -> Outcome {
        let policy = serde_json::json!({ "pattern": pattern, "definition": definition, "apply-to": "queues" });
        self.put_policy("%2F", name, &policy).await
    }

    /// Sets a policy of a virtual host, whose name is percent-encoded, as the management API writes it: `pattern`,
    /// `definition`, `apply-to`, `priority`.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn put_policy(&self, vhost: &str, name: &str, policy: &serde_json::Value) -> Outcome {
        self.management()?.put(&format!("/api/policies/{vhost}/{name}"), policy).await?.well().map(drop)
    }

    /// Declares a queue of the default virtual host; `declaration` has `durable` and `arguments`.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn declare_queue(&self, queue: &str, declaration: &serde_json::Value) -> Outcome {
        self.management()?.put(&format!("/api/queues/%2F/{queue}"), declaration).await?.well().map(drop)
    }
}
