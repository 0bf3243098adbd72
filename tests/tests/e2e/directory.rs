//! The signed directory in the life of running programs: taken up, refused, kept.

use std::path::Path;

use dmr_tests::agent::AgentPlan;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::{PATIENCE, eventually, until};
use dmr_tests::process::{run, run_well};
use dmr_tests::programs::dmr_server;
use dmr_tests::server::{Server, ServerPlan};

use crate::pair::{POLICE, Pair, TAX, takes};

/// The revision that the server uses. It is counted a moment after the server is ready.
async fn revision(server: &Server) -> Outcome<f64> {
    eventually("the revision in use is counted", PATIENCE, async || {
        Ok(server.admin.metric("dmr_directory_revision", &[]).await?.filter(|revision| *revision > 0.0))
    })
    .await
}

async fn refusals(server: &Server) -> Outcome<f64> {
    Ok(server.admin.metric("dmr_directory_refused_total", &[]).await?.unwrap_or_default())
}

/// Puts `bytes` where the server looks, in one step.
fn replace(path: &Path, bytes: &[u8]) -> Outcome {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).doing(new.display())?;
    std::fs::rename(&new, path).doing(path.display())
}

#[tokio::test]
async fn a_new_participant_is_known_to_everyone_without_a_restart() -> Outcome {
    let pair = Pair::start(takes).await?;
    assert_eq!(pair.tax.send("archive", "Not yet.").await?.status, 404);
    pair.join("archive").await?;
    let archive = AgentPlan::new(&pair.network, "archive", pair.server.url())?;
    let _archive = archive.deliver_to(pair.chatbot.url()).start(&pair.network).await?;
    let id = pair.tax.send_well("archive", "Welcome.").await?;
    pair.tax.api.message(&id, "delivered").await.map(drop)
}

#[tokio::test]
async fn a_tampered_directory_is_refused_whole_and_the_last_good_one_kept() -> Outcome {
    let pair = Pair::start(takes).await?;
    let good = std::fs::read(pair.network.bundle()).doing("the directory")?;
    let before = revision(&pair.server).await?;
    // One character of the signed content, far from both ends.
    let mut tampered = good.clone();
    let middle = tampered.len() - 400;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    replace(&pair.network.bundle(), &tampered)?;
    until("it is refused", async || Ok(refusals(&pair.server).await? >= 1.0)).await?;
    assert_eq!(revision(&pair.server).await?, before);
    assert!(pair.server.process.log()?.contains("directory"), "the log says so");
    pair.exchange("Still there?").await?;

    replace(&pair.network.bundle(), &good)?;
    pair.network.renew(&[])?;
    until("a good one is taken up", async || Ok(revision(&pair.server).await? > before)).await
}

#[tokio::test]
async fn an_older_directory_is_refused_also_after_a_restart() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?.with("--state", network.text("state"));
    let mut server = plan.start(&network).await?;
    let old = std::fs::read(network.bundle()).doing("the directory")?;
    let before = revision(&server).await?;
    network.renew(&[])?;
    until("the newer one is taken up", async || Ok(revision(&server).await? > before)).await?;
    let newer = revision(&server).await?;

    replace(&network.bundle(), &old)?;
    until("the older one is refused", async || Ok(refusals(&server).await? >= 1.0)).await?;
    assert_eq!(revision(&server).await?, newer);
    server.process.kill()?;
    let server = plan.start(&network).await?;
    assert_eq!(revision(&server).await?, newer, "the state remembers");
    Ok(())
}

#[tokio::test]
async fn an_agent_with_state_refuses_an_older_directory_after_a_restart() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?;
    let mut server = plan.start(&network).await?;
    let old = std::fs::read(network.bundle()).doing("the directory")?;
    network.keys_new("archive", &[])?;
    network.add(&["archive"])?;
    let agent = AgentPlan::new(&network, TAX, server.url())?.with("--state", network.text("tax-state"));
    let running = agent.start(&network).await?;
    until("the newer directory has arrived", async || {
        Ok(running.api.get("/v1/participants").await?.text.contains("archive"))
    })
    .await?;
    drop(running);

    // A server that has forgotten, or lies: it serves the older one.
    server.process.kill()?;
    replace(&network.bundle(), &old)?;
    let _server = plan.start(&network).await?;
    let running = agent.start(&network).await?;
    let listed = running.api.get("/v1/participants").await?.text;
    assert!(listed.contains("archive"), "{listed}\n{}", running.process.last_lines(20));
    Ok(())
}

#[tokio::test]
async fn a_directory_past_half_of_its_life_is_warned_about_and_an_expired_one_is_not_ready() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    network.renew(&["--valid-for", "12s"])?;
    until("its renewal is due", async || Ok(server.admin.metric("dmr_directory_renewal_due", &[]).await? == Some(1.0)))
        .await?;
    until("the log says so", async || Ok(server.process.log()?.to_lowercase().contains("renew"))).await?;
    let ready = server.admin.readiness(503).await?;
    assert!(ready.text.contains("expired"), "{}", ready.text);
    network.renew(&[])?;
    server.admin.ready().await
}

#[tokio::test]
async fn the_server_shows_and_verifies_a_directory() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let (bundle, root) =
        (network.bundle().to_string_lossy().into_owned(), network.root().to_string_lossy().into_owned());
    let args = |command: &str| {
        ["directory", command, &bundle, "--root", &root, "--network", "demo"].map(str::to_owned).to_vec()
    };
    let shown = run_well(dmr_server()?, &args("show"))?;
    for expected in [TAX, POLICE, "demo", network.id(TAX)?.as_str()] {
        assert!(shown.contains(expected), "{expected} is not in:\n{shown}");
    }
    assert!(run_well(dmr_server()?, &args("verify"))?.contains("valid"));

    let other = Network::new("demo", &[TAX])?;
    let mut wrong = args("verify");
    wrong[4] = other.root().to_string_lossy().into_owned();
    let refused = run(dmr_server()?, &wrong)?;
    assert!(refused.code.is_some_and(|code| code != 0), "another root verifies it");
    Ok(())
}

/// A file system of 64 KiB that is full but for a little. Dropping it unmounts it.
struct FullDisk(std::path::PathBuf);

impl FullDisk {
    /// `None` where one may not mount.
    fn at(path: std::path::PathBuf) -> Outcome<Option<Self>> {
        std::fs::create_dir(&path).doing(path.display())?;
        let text = path.to_string_lossy().into_owned();
        let mounted = run(Path::new("mount"), &["-t", "tmpfs", "-o", "size=64k", "tmpfs", &text])?;
        if mounted.code != Some(0) {
            return Ok(None);
        }
        let disk = Self(path);
        // Writes until nothing more goes in.
        let _ = std::fs::write(disk.0.join("ballast"), vec![1; 1 << 20]);
        Ok(Some(disk))
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = run(Path::new("umount"), &[self.0.as_os_str()]);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_kept_is_not_used() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let disk = FullDisk::at(network.path("state"))?;
    // Where one may not mount: a place that nobody can write to, not even root, as it lies under a file.
    let state = if disk.is_some() { network.path("state") } else { network.root().join("state") };
    let plan = ServerPlan::new(&network, "relay-1")?.with("--state", state.to_string_lossy());
    let ended = run(dmr_server()?, plan.args())?;
    assert!(matches!(ended.code, Some(1 | 64)), "it started: {:?}", ended.code);
    let says = format!("{}{}", ended.stdout, ended.stderr);
    if says.contains("state") { Ok(()) } else { Err(Failure::new(format!("it does not name the state: {says}"))) }
}
