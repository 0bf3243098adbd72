//! The program: its options, exit codes and signals.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use dmr_core::directory::Validity;
use dmr_core::reason::CloseReason;
use dmr_crypto::ServerKeys;
use dmr_transport::service::state_file;

use super::harness::{TestServer, options, program, run};
use super::network::{Network, VALID_FOR, name, now};

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn check(network: &Network, more: &[&str]) -> (Option<i32>, String, String) {
    let options = options(network);
    let arguments: Vec<&str> =
        ["check"].into_iter().chain(options.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    said(&run(&arguments).await)
}

#[tokio::test]
async fn check_validates_everything_and_starts_nothing() {
    let network = Network::of(&["tax", "police"]);
    let state = network.home().join("state");
    let (code, out, _) = check(&network, &["--state", state.to_str().unwrap()]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("ok: network testnet, directory revision 2 with 2 participants, fresh"), "{out}");
    assert!(!state.exists());
}

#[tokio::test]
async fn settings_that_are_wrong_exit_with_64_and_say_what_is_wrong() {
    let network = Network::of(&["tax"]);
    let missing = network.home().join("missing");
    let exposed = network.home().join("exposed.key");
    std::fs::write(&exposed, "{}").unwrap();
    let amqp = ["--broker", "amqp://127.0.0.1:1"];
    let cases: [(&[&str], &str); 20] = [
        (&["--listen", "0.0.0.0:0"], "--allow-plain"),
        (&["--listen", "here"], "--listen"),
        (&["--listen", "127.0.0.1:1", "--admin", "127.0.0.1:1"], "an address of its own"),
        (&["--name", "Not A Name"], "--name"),
        (&["--tls-cert", "x"], "go together"),
        (&["--network", "other"], "--network"),
        (&["--keys", exposed.to_str().unwrap()], "chmod 600"),
        (&["--keys", missing.to_str().unwrap()], "missing"),
        (&["--max-connections", "0"], "zero"),
        (&["--grace", "soon"], "--grace"),
        (&["--log", "dmr_server=loud"], "log filter"),
        (&["--broker", "paper"], "memory"),
        (&["--broker", "memory,amqp://127.0.0.1"], "stands alone"),
        (&["--broker", "amqp://dmr:secret@127.0.0.1"], "password"),
        (&["--broker", "amqp://dmr@127.0.0.1"], "--broker-credentials"),
        (&[amqp[0], amqp[1], "--broker-credentials", exposed.to_str().unwrap()], "chmod 600"),
        (&[amqp[0], amqp[1], "--broker-ca", "ca.pem"], "amqps://"),
        (&[amqp[0], amqp[1], "--broker-cert", "chain.pem"], "go together"),
        (&[amqp[0], amqp[1], "--broker-management", "amqp://127.0.0.1"], "--broker-management"),
        (&[amqp[0], amqp[1], "--broker-check", "perhaps"], "--broker-check"),
    ];
    for (more, expected) in cases {
        let (code, _, error) = check(&network, more).await;
        assert_eq!(code, Some(64), "{more:?}: {error}");
        assert!(error.contains(expected), "{more:?}: {error}");
    }
    network.write_directory(b"no directory\n");
    let (code, _, error) = check(&network, &[]).await;
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("directory.jws"), "{error}");
    std::fs::remove_file(network.directory_file()).unwrap();
    assert_eq!(check(&network, &[]).await.0, Some(64));
    assert_eq!(said(&run(&["run"]).await).0, Some(64));
}

#[tokio::test]
async fn a_check_of_a_broker_that_does_not_answer_says_where_it_asked_and_what_to_enable() {
    let network = Network::of(&["tax"]);
    // Nobody listens on port 1.
    let (code, _, error) =
        check(&network, &["--broker", "amqp://127.0.0.1:1", "--broker-management", "http://127.0.0.1:1"]).await;
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("http://127.0.0.1:1") && error.contains("rabbitmq_management"), "{error}");
    let off = check(&network, &["--broker", "amqp://127.0.0.1:1", "--broker-check", "off"]).await;
    assert_eq!(off.0, Some(0), "{}", off.2);
}

#[tokio::test]
async fn a_server_whose_broker_could_not_be_looked_at_is_not_ready_and_turns_agents_away() {
    let network = Network::of(&["tax"]);
    // Nobody listens on port 1.
    let broker = ["--broker", "amqp://127.0.0.1:1", "--broker-management", "http://127.0.0.1:1"];
    let server = TestServer::start_with(&network, &broker).await;
    let (status, body) = server.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("the broker's settings"), "{body}");
    assert_eq!(server.dial().await.close_reason().await, Some(CloseReason::Unavailable));
}

#[tokio::test]
async fn credentials_of_the_broker_are_one_line_and_agree_with_the_address() {
    let network = Network::of(&["tax"]);
    let file = network.home().join("credentials");
    let write = |text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let off = ["--broker-check", "off", "--broker-credentials", file.to_str().unwrap(), "--broker"];
    let checked = async |address: &str| check(&network, &[&off[..], &[address]].concat()).await;
    for (text, code) in
        [("dmr:secret\n", 0), ("dmr:se:cret", 0), ("dmr", 64), (":secret", 64), ("dmr:", 64), ("a:b\nc:d\n", 64)]
    {
        write(text);
        let (got, _, error) = checked("amqp://127.0.0.1:1").await;
        assert_eq!(got, Some(code), "{text:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    write("dmr:secret");
    assert_eq!(checked("amqp://dmr@127.0.0.1:1").await.0, Some(0));
    let (code, _, error) = checked("amqp://other@127.0.0.1:1").await;
    assert_eq!(code, Some(64));
    assert!(error.contains("different users"), "{error}");
}

#[tokio::test]
async fn the_operators_commands_say_that_a_broker_in_memory_cannot_be_looked_into() {
    for command in [&["queues"][..], &["dead", "list"], &["dead", "purge", "--yes"]] {
        let (code, _, error) = said(&run(command).await);
        assert_eq!(code, Some(64), "{command:?}: {error}");
        assert!(error.contains("memory"), "{error}");
    }
}

#[tokio::test]
async fn options_come_from_the_line_the_variables_and_a_file_in_this_order() {
    let network = Network::of(&["tax"]);
    let file = network.home().join("server.toml");
    let text = |listen: &str| {
        format!(
            "directory = {:?}\nroot = {:?}\nnetwork = \"testnet\"\nlisten = {listen:?}\n",
            network.directory_file(),
            network.root_file()
        )
    };
    let checked = async |variable: Option<&str>, line: &[&str]| {
        let mut command = program(&["check", "--config", file.to_str().unwrap()]);
        command.args(line);
        if let Some(listen) = variable {
            command.env("DMR_LISTEN", listen);
        }
        said(&command.output().await.unwrap())
    };
    std::fs::write(&file, text("127.0.0.1:1")).unwrap();
    assert_eq!(checked(None, &[]).await.0, Some(0));
    std::fs::write(&file, text("0.0.0.0:1")).unwrap();
    assert_eq!(checked(None, &[]).await.0, Some(64));
    assert_eq!(checked(Some("127.0.0.1:1"), &[]).await.0, Some(0));
    assert_eq!(checked(Some("0.0.0.0:1"), &["--listen", "127.0.0.1:1"]).await.0, Some(0));
    std::fs::write(&file, text("127.0.0.1:1") + "listn = 1\n").unwrap();
    let (code, _, error) = checked(None, &[]).await;
    assert_eq!(code, Some(64));
    assert!(error.contains("listn"), "{error}");
}

#[tokio::test]
async fn the_help_says_that_the_memory_broker_keeps_nothing() {
    let (code, out, _) = said(&run(&["run", "--help"]).await);
    assert_eq!(code, Some(0));
    assert!(out.contains("keeps nothing across a restart"), "{out}");
    assert!(out.contains("Usage: dmr-server run [OPTIONS] --directory <FILE> --root <FILE> --network <NAME>"), "{out}");
    for option in ["--directory", "--state", "--tls-cert", "--allow-plain", "--rate-messages", "--grace", "--config"] {
        assert!(out.contains(option), "{option}");
    }
}

async fn directory(command: &str, file: &Path, network: &Network, more: &[&str]) -> (Option<i32>, String, String) {
    let root = network.root_file();
    let arguments = ["directory", command, file.to_str().unwrap(), "--root", root.to_str().unwrap(), "--network"];
    let arguments: Vec<&str> = arguments.into_iter().chain(["testnet"]).chain(more.iter().copied()).collect();
    said(&run(&arguments).await)
}

#[tokio::test]
async fn a_directory_can_be_looked_into_and_verified() {
    let mut network = Network::of(&["tax", "police"]);
    let file = network.directory_file();
    let (code, out, _) = directory("show", &file, &network, &[]).await;
    assert_eq!(code, Some(0));
    for part in ["testnet", "revision   2", "tax   01010101", "sealing", "everyone may write to everyone"] {
        let id = network.id("tax").to_string();
        let part = part.replace("01010101", &id[..8]);
        assert!(out.contains(&part), "no {part} in\n{out}");
    }
    let (_, json, _) = directory("show", &file, &network, &["--json"]).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["revision"], 2);
    let (code, out, _) = directory("verify", &file, &network, &[]).await;
    assert_eq!((code, out.starts_with("valid: network testnet, revision 2")), (Some(0), true), "{out}");

    let mut broken = network.directory.bundle().to_vec();
    let end = broken.len() - 5;
    broken[end] ^= 1;
    network.write_directory(&broken);
    for command in ["show", "verify"] {
        let (code, out, error) = directory(command, &file, &network, &[]).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
        assert!(error.contains("directory.jws: refused"), "{error}");
    }
    let (code, _, error) = directory("verify", &network.home().join("nowhere.jws"), &network, &[]).await;
    assert_eq!((code, error.contains("nowhere.jws: no such file")), (Some(1), true), "{error}");
    network.amend_at(now().minus(Duration::from_secs(60)), Duration::from_secs(59), |_| ());
    network.publish();
    let (code, _, error) = directory("verify", &file, &network, &[]).await;
    assert_eq!((code, error.contains("expired at")), (Some(1), true), "{error}");
}

#[tokio::test]
async fn a_server_with_keys_signs_its_challenge_under_its_name() {
    let mut network = Network::of(&["tax"]);
    let validity = Validity { not_before: now().minus(Duration::from_secs(60)), not_after: now().plus(VALID_FOR) };
    let keys = ServerKeys::generate(name("relay"), validity).unwrap();
    let dmr_core::directory::Card::Server(entry) = keys.card() else { panic!("a server has a server's card") };
    network.amend(|directory| directory.servers.push(entry));
    network.publish();
    let file = network.home().join("server.key");
    state_file::create_secret(&file, &keys.to_key_file().unwrap()).unwrap();
    let server = TestServer::start_with(&network, &["--keys", file.to_str().unwrap()]).await;
    let mut agent = server.dial().await;
    let dmr_core::frame::ServerFrame::Challenge { challenge, signature } = agent.frame().await else {
        panic!("no challenge")
    };
    let verified = dmr_crypto::verify_challenge(&challenge, &signature, &network.directory, now()).unwrap();
    assert_eq!(verified.server, name("relay"));
    let (code, _, error) = check(&network, &["--keys", file.to_str().unwrap(), "--name", "other"]).await;
    assert_eq!((code, error.contains("relay")), (Some(64), true), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_failure_and_not_a_matter_of_settings() {
    let network = Network::of(&["tax"]);
    let server = TestServer::start(&network).await;
    let address = server.address.to_string();
    let options = options(&network);
    let arguments: Vec<&str> =
        ["run", "--listen", &address, "--admin", "off"].into_iter().chain(options.iter().map(String::as_str)).collect();
    let (code, _, error) = said(&run(&arguments).await);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains(&address), "{error}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start_with(&network, &["--grace", "1h"]).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(1).await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    police.delivery().await;
    server.terminate().await;
    tax.close_reason().await;
    server.terminate().await;
    assert_eq!(server.ended().await.0.code(), Some(130));
}
