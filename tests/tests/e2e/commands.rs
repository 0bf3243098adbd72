//! Command lines: what is refused with exit code 64 and a readable word, and where settings come from.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dmr_tests::agent::AgentPlan;
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::{Network, read_json};
use dmr_tests::process::{Ended, run};
use dmr_tests::programs::{dmr_agent, dmr_server};
use dmr_tests::server::ServerPlan;

use crate::pair::TAX;

fn mode(path: &Path) -> Outcome<u32> {
    Ok(std::fs::metadata(path).doing(path.display())?.permissions().mode() & 0o777)
}

/// `check` with the options of `run`.
fn check(program: &Path, run_args: &[String]) -> Outcome<Ended> {
    let mut args = run_args.to_vec();
    args[0] = "check".to_owned();
    run(program, &args)
}

fn assert_bad_configuration(ended: &Ended, mention: &str) {
    assert_eq!(ended.code, Some(64), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains(mention), "{mention} is not in: {}", ended.stderr);
    assert!(ended.stderr.lines().count() <= 12 && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn check_validates_everything_and_starts_nothing() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let server = ServerPlan::new(&network, "relay-1")?;
    let agent = AgentPlan::new(&network, TAX, "ws://127.0.0.1:9")?;
    for (program, args) in [(dmr_server()?, server.args()), (dmr_agent()?, agent.args())] {
        let checked = check(program, args)?;
        assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains("ok"), "{}", checked.stdout);
    }
    Ok(())
}

#[test]
fn bad_options_of_the_server_are_refused_with_64_and_a_word() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let good = ServerPlan::new(&network, "relay-1")?;
    let other = Network::new("elsewhere", &[])?;
    let wrong = [
        (good.clone().with("--network", "elsewhere"), "elsewhere"),
        (good.clone().with("--network", "Not A Name"), "--network"),
        (good.clone().with("--listen", "here"), "--listen"),
        (good.clone().with("--root", "/nonexistent/root.pub"), "/nonexistent/root.pub"),
        (good.clone().with("--directory", "/nonexistent/directory.jws"), "/nonexistent/directory.jws"),
        (good.clone().with("--directory", other.bundle().to_string_lossy()), "directory.jws"),
        (good.clone().with("--tls-cert", "/nonexistent/cert.pem"), "--tls-key"),
        (good.clone().with("--broker", "rabbit"), "--broker"),
        (good.clone().with("--heartbeat", "soon"), "--heartbeat"),
        (good.clone().with("--log", "dmr_server=loud"), "log"),
        (good.clone().with("--credit", "0"), "credit"),
        (good.clone().flag("--no-such-option"), "--no-such-option"),
    ];
    for (plan, mention) in wrong {
        assert_bad_configuration(&check(dmr_server()?, plan.args())?, mention);
    }
    assert_bad_configuration(&run(dmr_server()?, &["run"])?, "--directory");
    Ok(())
}

#[test]
fn bad_options_of_the_agent_are_refused_with_64_and_a_word() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let good = AgentPlan::new(&network, TAX, "ws://127.0.0.1:9")?;
    let wrong = [
        (good.clone().with("--server", "http://127.0.0.1:9"), "--server"),
        (good.clone().with("--server", ""), "--server"),
        (good.clone().with("--deliver-to", "ftp://127.0.0.1/x"), "--deliver-to"),
        (good.clone().with("--listen", "0.0.0.0:18077"), "--token-file"),
        (good.clone().with("--prefetch", "0"), "--prefetch"),
        (good.clone().with("--keys", "/nonexistent/keys"), "/nonexistent/keys"),
        (good.clone().with("--keys", network.root().to_string_lossy()), "root.pub"),
        (good.clone().with("--root", network.bundle().to_string_lossy()), "directory.jws"),
        (good.clone().with("--tls-ca", "/nonexistent/ca.pem"), "/nonexistent/ca.pem"),
        (good.clone().flag("--no-such-option"), "--no-such-option"),
    ];
    for (plan, mention) in wrong {
        assert_bad_configuration(&check(dmr_agent()?, plan.args())?, mention);
    }
    assert_bad_configuration(&run(dmr_agent()?, &["run"])?, "--keys");
    Ok(())
}

#[test]
fn a_key_file_that_others_can_read_is_refused() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let keys = network.keys(TAX);
    assert_eq!(mode(&keys)?, 0o600);
    let plan = AgentPlan::new(&network, TAX, "ws://127.0.0.1:9")?;
    for open in [0o640, 0o604, 0o644] {
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(open)).doing("a key file")?;
        assert_bad_configuration(&check(dmr_agent()?, plan.args())?, "tax-authority.keys");
    }
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).doing("a key file")?;
    assert_eq!(check(dmr_agent()?, plan.args())?.code, Some(0));
    for secret in ["root.key", "directory.key"] {
        assert_eq!(mode(&network.path("directory").join(secret))?, 0o600, "{secret}");
    }
    Ok(())
}

#[test]
fn keys_and_directories_are_never_overwritten() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let before = std::fs::read(network.keys(TAX)).doing("a key file")?;
    let keys = network.text("tax-authority.keys");
    let again = run(dmr_agent()?, &["keys", "new", "--out", &keys, "--name", TAX])?;
    assert!(again.code.is_some_and(|code| code != 0) && again.stderr.contains("exists"), "{}", again.stderr);
    assert_eq!(std::fs::read(network.keys(TAX)).doing("a key file")?, before);
    let again = run(dmr_agent()?, &["directory", "new", "--out", &network.text("directory"), "--network", "demo"])?;
    assert!(again.code.is_some_and(|code| code != 0) && again.stderr.contains("exists"), "{}", again.stderr);
    Ok(())
}

#[test]
fn a_card_is_public_and_has_the_id_and_the_suite_that_were_asked_for() -> Outcome {
    let network = Network::new("demo", &[])?;
    let id = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f";
    network.keys_new("archive", &["--id", id, "--suite", "2"])?;
    let card = read_json(&network.path("archive.keys.card.json"))?;
    assert_eq!(card["participant"]["id"], id);
    let keys = card["participant"]["sealingKeys"].as_array().doing("sealing keys")?;
    assert!(keys.iter().any(|key| key["algorithm"] == "x-wing"), "{card}");
    let secret = read_json(&network.keys("archive"))?;
    let seed = secret["identity"][0]["seed"].as_str().doing("a seed")?;
    assert!(!card.to_string().contains(seed));
    Ok(())
}

#[test]
fn a_card_with_something_wrong_is_refused_and_the_directory_stays() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    network.keys_new("archive", &[])?;
    let path = network.path("archive.keys.card.json");
    let card = std::fs::read_to_string(&path).doing("a card")?;
    let directory = std::fs::read(network.bundle()).doing("the directory")?;
    for wrong in [card.replace("\"name\"", "\"nom\""), card.replace("archive", "ARCHIVE"), String::new(), "{}".into()] {
        std::fs::write(&path, wrong).doing("a card")?;
        assert!(network.add(&["archive"]).is_err());
        assert_eq!(std::fs::read(network.bundle()).doing("the directory")?, directory);
    }
    Ok(())
}

#[test]
fn settings_come_from_a_file_variables_and_flags_in_rising_order() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let file = network.path("agent.toml");
    let good = format!(
        "keys = {:?}\nroot = {:?}\nnetwork = \"demo\"\nserver = [\"ws://127.0.0.1:9\"]\nprefetch = 8\n",
        network.keys(TAX),
        network.root()
    );
    std::fs::write(&file, &good).doing("a settings file")?;
    let config = file.to_string_lossy().into_owned();
    let checked = run(dmr_agent()?, &["check", "--config", &config])?;
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);

    let agent = dmr_agent()?.to_string_lossy().into_owned();
    let with_variable = |more: &str| format!("DMR_NETWORK=elsewhere {agent} check --config {config} {more}");
    let variable = run(Path::new("sh"), &["-c", &with_variable("")])?;
    assert_bad_configuration(&variable, "elsewhere");
    let flag = run(Path::new("sh"), &["-c", &with_variable("--network demo")])?;
    assert_eq!(flag.code, Some(0), "{}{}", flag.stdout, flag.stderr);

    std::fs::write(&file, format!("{good}colour = \"blue\"\n")).doing("a settings file")?;
    assert_bad_configuration(&run(dmr_agent()?, &["check", "--config", &config])?, "colour");
    std::fs::write(&file, "not toml at all").doing("a settings file")?;
    assert_bad_configuration(&run(dmr_agent()?, &["check", "--config", &config])?, "agent.toml");
    Ok(())
}
