//! The program's commands, as a shell would call them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use dmr_core::directory::{Card, Status};
use dmr_crypto::{RootPin, VerifiedDirectory};

use crate::network::{name, now};

const USAGE: u8 = 64;

fn run(args: &[&str]) -> ExitCode {
    dmr_agent::program::main(["dmr-agent"].iter().chain(args).map(OsString::from))
}

fn ok(args: &[&str]) {
    assert_eq!(run(args), ExitCode::SUCCESS, "{args:?}");
}

fn wrong(args: &[&str]) {
    assert_eq!(run(args), ExitCode::from(USAGE), "{args:?}");
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    fn directory(&self) -> VerifiedDirectory {
        let pin = RootPin::from_json(&self.read("dir/root.pub")).unwrap();
        VerifiedDirectory::verify(&self.read("dir/directory.jws"), &pin, now()).unwrap()
    }

    /// A network of two, and their keys.
    fn network() -> Self {
        let files = Self::new();
        ok(&["directory", "new", "--out", &files.path("dir"), "--network", "testnet"]);
        for who in ["tax", "police"] {
            ok(&["keys", "new", "--out", &files.path(who), "--name", who, "--suite", "2"]);
        }
        let cards = ["tax", "police"].map(|who| files.path(&format!("{who}.card.json")));
        ok(&["directory", "add", "--dir", &files.path("dir"), &cards[0], &cards[1]]);
        files
    }

    fn check(&self, more: &[&str]) -> ExitCode {
        let (keys, root) = (self.path("tax"), self.path("dir/root.pub"));
        let mut args = vec!["check", "--keys", &keys, "--root", &root];
        for default in [["--network", "testnet"], ["--server", "ws://127.0.0.1:8075"]] {
            if !more.contains(&default[0]) {
                args.extend(default);
            }
        }
        args.extend(more);
        run(&args)
    }
}

#[test]
fn keys_are_secret_and_never_overwritten_and_the_card_is_public() {
    let files = Files::new();
    let new = ["keys", "new", "--out", &files.path("tax"), "--name", "tax"];
    ok(&new);
    assert_eq!(files.mode("tax"), 0o600);
    let before = files.read("tax");
    wrong(&new);
    assert_eq!(files.read("tax"), before);
    let Card::Participant(card) = Card::from_json(&files.read("tax.card.json")).unwrap() else { panic!("a card") };
    assert_eq!((card.name, card.sealing_keys.len()), (name("tax"), 1));
    ok(&["keys", "new", "--out", &files.path("relay"), "--name", "relay-1", "--server"]);
    assert!(matches!(Card::from_json(&files.read("relay.card.json")).unwrap(), Card::Server(_)));
}

#[test]
fn wrong_names_ids_and_suites_are_refused() {
    let files = Files::new();
    let out = files.path("x");
    wrong(&["keys", "new", "--out", &out, "--name", "Tax Authority"]);
    wrong(&["keys", "new", "--out", &out, "--name", "tax", "--id", "7"]);
    wrong(&["keys", "new", "--out", &out, "--name", "tax", "--suite", "3"]);
    wrong(&["keys", "new", "--name", "tax"]);
    wrong(&["keys"]);
    wrong(&["nonsense"]);
    assert!(!Path::new(&out).exists());
    ok(&["--help"]);
    ok(&["run", "--help"]);
}

#[test]
fn a_directory_is_founded_once_and_its_keys_are_secret() {
    let files = Files::new();
    let new = ["directory", "new", "--out", &files.path("dir"), "--network", "testnet"];
    ok(&new);
    assert_eq!((files.mode("dir/root.key"), files.mode("dir/directory.key")), (0o600, 0o600));
    assert_eq!(files.directory().revision(), 1);
    let before = files.read("dir/directory.jws");
    wrong(&new);
    assert_eq!(files.read("dir/directory.jws"), before);
}

#[test]
fn each_change_is_one_revision_more_and_a_removed_participant_stays_listed_as_such() {
    let files = Files::network();
    assert_eq!(files.directory().revision(), 2);
    ok(&["directory", "remove", "--dir", &files.path("dir"), "tax"]);
    let directory = files.directory();
    assert_eq!(directory.revision(), 3);
    assert_eq!(directory.participant_by_name(&name("tax")).unwrap().status, Status::Removed);
    ok(&["directory", "renew", "--dir", &files.path("dir"), "--valid-for", "7d"]);
    let directory = files.directory();
    assert_eq!(directory.revision(), 4);
    assert_eq!(directory.expires().since(directory.issued()).as_secs(), 7 * 24 * 60 * 60);
    wrong(&["directory", "remove", "--dir", &files.path("dir"), "nobody"]);
    assert_eq!(files.directory().revision(), 4);
}

#[test]
fn new_keys_for_a_known_id_replace_the_old_ones_and_a_taken_name_is_refused() {
    let files = Files::network();
    let id = files.directory().participant_by_name(&name("tax")).unwrap().id.to_string();
    let before = files.directory().participant_by_name(&name("tax")).unwrap().clone();
    ok(&["keys", "new", "--out", &files.path("tax2"), "--name", "tax", "--id", &id]);
    ok(&["directory", "add", "--dir", &files.path("dir"), &files.path("tax2.card.json")]);
    let after = files.directory().participant_by_name(&name("tax")).unwrap().clone();
    assert_eq!(after.id, before.id);
    assert_ne!(after.identity_keys, before.identity_keys);
    ok(&["keys", "new", "--out", &files.path("thief"), "--name", "tax"]);
    wrong(&["directory", "add", "--dir", &files.path("dir"), &files.path("thief.card.json")]);
}

#[test]
fn a_damaged_directory_is_not_signed_again() {
    let files = Files::network();
    let mut bundle = files.read("dir/directory.jws");
    let middle = bundle.len() / 2;
    bundle[middle] ^= 1;
    fs::write(files.path("dir/directory.jws"), &bundle).unwrap();
    wrong(&["directory", "renew", "--dir", &files.path("dir")]);
    assert_eq!(files.read("dir/directory.jws"), bundle);
}

#[test]
fn check_says_what_is_wrong_with_64_and_starts_nothing() {
    let files = Files::network();
    assert_eq!(files.check(&["--state", &files.path("state")]), ExitCode::SUCCESS);
    assert!(!Path::new(&files.path("state")).exists());
    fs::write(files.path("token"), "a-token-of-the-test\n").unwrap();
    let usage = ExitCode::from(USAGE);
    for more in [
        &["--listen", "0.0.0.0:8077"][..],
        &["--token-file", &files.path("token")],
        &["--token-file", &files.path("nowhere")],
        &["--server", "http://127.0.0.1"],
        &["--deliver-to", "ftp://bot"],
        &["--deliver-timeout", "0s"],
        &["--deliver-timeout", "10m"],
        &["--deliver-attempts", "0"],
        &["--deliver-attempts", "100"],
        &["--prefetch", "0"],
        &["--prefetch", "5000"],
        &["--tls-ca", &files.path("nowhere")],
        &["--network", "othernet"],
        &["--log", "dmr_agent=loud"],
        &["--config", &files.path("nowhere.toml")],
    ] {
        assert_eq!(files.check(more), usage, "{more:?}");
    }
    fs::set_permissions(files.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let good = ["--listen", "0.0.0.0:8077", "--token-file", &files.path("token")];
    assert_eq!(files.check(&good), ExitCode::SUCCESS);
    fs::set_permissions(files.path("tax"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(files.check(&[]), usage, "a secret that others can read");
}

#[test]
fn a_settings_file_gives_what_the_command_line_does_not_and_unknown_keys_are_refused() {
    let files = Files::network();
    let file = files.path("agent.toml");
    let text = format!(
        "keys = {:?}\nroot = {:?}\nnetwork = \"testnet\"\nserver = [\"ws://127.0.0.1:8075\"]\nprefetch = 8\n",
        files.path("tax"),
        files.path("dir/root.pub")
    );
    fs::write(&file, &text).unwrap();
    ok(&["check", "--config", &file]);
    fs::write(&file, format!("{text}surprise = 1\n")).unwrap();
    wrong(&["check", "--config", &file]);
}
