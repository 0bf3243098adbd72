//! How a node is configured.

use std::path::PathBuf;

use super::ports::Ports;

/// What a node's `rabbitmq.conf` says besides its ports, and its plugins.
#[derive(Debug, Clone)]
pub struct NodePlan {
    settings: Vec<(String, String)>,
    plugins: Vec<String>,
    tls: Option<[PathBuf; 3]>,
}

impl Default for NodePlan {
    fn default() -> Self {
        Self { settings: Vec::new(), plugins: vec!["rabbitmq_management".to_owned()], tls: None }
            .with("loopback_users", "none")
            .with("disk_free_limit.absolute", "50MB")
            .with("collect_statistics_interval", "1000")
            .with("log.console", "false")
    }
}

impl NodePlan {
    /// The same with another setting of `rabbitmq.conf`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.retain(|(other, _)| other != key);
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same with another plugin.
    #[must_use]
    pub fn plugin(mut self, name: &str) -> Self {
        self.plugins.push(name.to_owned());
        self
    }

    /// The same, listening for AMQP in TLS as well, with these PEM files; who connects may show a certificate of the
    /// same authority.
    #[must_use]
    pub fn tls(
        mut self,
        authority: impl Into<PathBuf>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls = Some([authority.into(), certificate.into(), key.into()]);
        self
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The text of `rabbitmq.conf`.
    pub(super) fn settings(&self, ports: &Ports) -> String {
        let mut settings = self.settings.clone();
        let mut add = |key: &str, value: String| settings.push((key.to_owned(), value));
        add("listeners.tcp.1", format!("127.0.0.1:{}", ports.amqp()));
        add("management.tcp.ip", "127.0.0.1".to_owned());
        add("management.tcp.port", ports.management().to_string());
        if let Some([authority, certificate, key]) = &self.tls {
            add("listeners.ssl.1", format!("127.0.0.1:{}", ports.amqps()));
            add("ssl_options.cacertfile", authority.display().to_string());
            add("ssl_options.certfile", certificate.display().to_string());
            add("ssl_options.keyfile", key.display().to_string());
            add("ssl_options.verify", "verify_peer".to_owned());
            add("ssl_options.fail_if_no_peer_cert", "false".to_owned());
        }
        settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// The text of `enabled_plugins`.
    pub(super) fn plugins(&self) -> String {
        format!("[{}].\n", self.plugins.join(","))
    }

    /// The text of `advanced.config`: a quorum queue tells its counts at each tick, of 5 s by default, and a test that
    /// looks at them would wait for that.
    pub(super) fn advanced() -> &'static str {
        "[{rabbit, [{quorum_tick_interval, 500}]}].\n"
    }
}
