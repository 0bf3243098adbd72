//! Where settings come from, and what is said when they are wrong.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use dmr_transport::service::settings::{ConfigFile, SettingsError, parse};
use dmr_transport::service::units;

#[derive(Debug, Parser)]
#[command(name = "program", version)]
struct Program {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(Run),
    Show { file: PathBuf },
    Count(Count),
}

#[derive(Debug, Args, PartialEq)]
struct Run {
    #[command(flatten)]
    config: Config,
    /// Where to listen.
    #[arg(long, env = "DMR_TEST_LISTEN")]
    listen: String,
    #[arg(long, env = "DMR_TEST_GRACE", value_parser = units::duration, default_value = "10s")]
    grace_period: Duration,
    #[arg(long, env = "DMR_TEST_SERVER", value_delimiter = ',')]
    server: Vec<String>,
    #[arg(long, env = "DMR_TEST_ALLOW_PLAIN")]
    allow_plain: bool,
    #[arg(long, env = "DMR_TEST_LIMIT")]
    limit: Option<u32>,
}

#[derive(Debug, Args)]
struct Count {
    #[command(flatten)]
    config: Config,
    #[arg(long)]
    limit: Option<u32>,
    #[arg(long)]
    backwards: bool,
}

#[derive(Debug, Args)]
struct Config {
    #[command(flatten)]
    file: ConfigFile,
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.file.config == other.file.config
    }
}

struct File {
    _home: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> File {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("program.toml");
    fs::write(&path, text).unwrap();
    File { _home: home, path }
}

fn run(arguments: &[&str], file: Option<&File>) -> Result<Run, SettingsError> {
    let mut argv: Vec<OsString> = ["program", "run"].iter().chain(arguments).map(OsString::from).collect();
    if let Some(file) = file {
        argv.extend(["--config".into(), file.path.clone().into()]);
    }
    match parse::<Program>(argv)?.command {
        Verb::Run(run) => Ok(run),
        Verb::Show { .. } | Verb::Count(_) => panic!("another command"),
    }
}

#[test]
fn the_file_gives_what_the_command_line_does_not() {
    let file = file(
        "listen = '127.0.0.1:1'\ngrace_period = '3s'\nserver = ['ws://a', 'ws://b']\nallow-plain = true\nlimit = 7\n",
    );
    let from_file = run(&[], Some(&file)).unwrap();
    assert_eq!(from_file.listen, "127.0.0.1:1");
    assert_eq!(from_file.grace_period, Duration::from_secs(3));
    assert_eq!(from_file.server, ["ws://a", "ws://b"]);
    assert!(from_file.allow_plain);
    assert_eq!(from_file.limit, Some(7));

    let both = run(&["--listen", "127.0.0.1:2", "--server", "ws://c,ws://d"], Some(&file)).unwrap();
    assert_eq!(both.listen, "127.0.0.1:2");
    assert_eq!(both.server, ["ws://c", "ws://d"]);
    assert_eq!(both.grace_period, Duration::from_secs(3));
}

#[test]
fn without_a_file_defaults_hold_and_required_options_are_missed() {
    let alone = run(&["--listen", "x"], None).unwrap();
    assert_eq!(alone.grace_period, Duration::from_secs(10));
    let missing = run(&[], None).unwrap_err();
    assert_eq!(missing.exit_code(), 64);
    assert!(missing.to_string().contains("--listen"), "{missing}");
}

/// Environment variables belong to the process, so this test runs itself in another one.
#[test]
fn the_environment_comes_between_the_command_line_and_the_file() {
    if std::env::var_os("DMR_TEST_LISTEN").is_some() {
        let settings = run(&["--limit", "3"], None).unwrap();
        assert_eq!(settings.listen, "from the environment");
        assert_eq!(settings.limit, Some(3));
        assert_eq!(settings.grace_period, Duration::from_secs(2));
        assert!(settings.allow_plain);
        return;
    }
    let file = file("listen = 'from the file'\ngrace-period = '2s'\nallow-plain = false\n");
    let itself = std::env::current_exe().unwrap();
    let test = "settings::the_environment_comes_between_the_command_line_and_the_file";
    let output = Command::new(itself)
        .args(["--exact", test])
        .env("DMR_CONFIG", &file.path)
        .env("DMR_TEST_LISTEN", "from the environment")
        .env("DMR_TEST_LIMIT", "2")
        .env("DMR_TEST_ALLOW_PLAIN", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_key_that_is_no_option_is_refused_by_name() {
    for (text, key) in [
        ("listener = 'x'", "listener"),
        ("config = 'y'", "config"),
        ("help = true", "help"),
        ("[server]\nurl = 'x'", "server"),
        ("listen = 'x'\ngrace_period = '1s'\ngrace-period = '1s'", "grace_period"),
    ] {
        let file = file(text);
        let error = run(&["--listen", "x"], Some(&file)).unwrap_err();
        assert_eq!(error.exit_code(), 64, "{text}");
        let said = error.to_string();
        assert!(said.contains(key) && said.contains("program.toml"), "{text}: {said}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_by_key_and_file() {
    for text in ["listen = ['a', 'b']", "listen = 1979-05-27", "allow-plain = 'yes'", "server = [['a']]"] {
        let file = file(text);
        let error = run(&["--listen", "x"], Some(&file)).unwrap_err();
        assert!(matches!(error, SettingsError::WrongType { .. }), "{text}: {error}");
        assert_eq!(error.exit_code(), 64);
    }
    let file = file("listen = 'x'\nlimit = -1");
    let error = run(&[], Some(&file)).unwrap_err();
    assert!(error.to_string().contains("--limit") && error.to_string().contains("program.toml"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let broken = file("listen = ");
    let error = run(&["--listen", "x"], Some(&broken)).unwrap_err();
    assert!(matches!(error, SettingsError::NotToml { .. }), "{error}");
    let error = run(&["--listen", "x", "--config", "/nowhere/program.toml"], None).unwrap_err();
    assert!(matches!(&error, SettingsError::File { file, .. } if file.ends_with("program.toml")), "{error}");
    let long = file(&format!("# {}", "x".repeat(1 << 20)));
    assert!(matches!(run(&[], Some(&long)), Err(SettingsError::TooLong { .. })));
}

#[test]
fn help_and_version_are_no_errors_and_unknown_options_are() {
    for (argument, code) in [("--help", 0), ("--no-such-option", 64)] {
        let error = run(&[argument], None).unwrap_err();
        assert_eq!(error.exit_code(), code, "{argument}");
    }
    assert_eq!(parse::<Program>(["program", "--version"]).unwrap_err().exit_code(), 0);
    assert_eq!(parse::<Program>(["program"]).unwrap_err().exit_code(), 64);
    assert_eq!(parse::<Program>(["program", "walk"]).unwrap_err().exit_code(), 64);
}

#[test]
fn one_file_serves_every_command_and_each_takes_its_own() {
    let file = file("listen = 'x'\nlimit = 7\nbackwards = true\n");
    assert_eq!(run(&[], Some(&file)).unwrap().limit, Some(7));
    let counted = parse::<Program>(["program", "count", "--config", file.path.to_str().unwrap()]).unwrap();
    assert!(matches!(counted.command, Verb::Count(Count { limit: Some(7), backwards: true, .. })), "{counted:?}");
}

#[test]
fn help_tells_what_is_required() {
    let help = run(&["--help"], None).unwrap_err().to_string();
    assert!(help.contains("run [OPTIONS] --listen <LISTEN>"), "{help}");
}

#[test]
fn a_command_without_the_option_config_reads_no_file() {
    let shown = parse::<Program>(["program", "show", "--", "--config"]).unwrap();
    assert!(matches!(shown.command, Verb::Show { file } if file.as_os_str() == "--config"));
}
