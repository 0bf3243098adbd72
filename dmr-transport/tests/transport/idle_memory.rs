//! What an idle link costs.

use std::fs;
use std::process::Command;

use bytes::Bytes;
use dmr_transport::{Link, LinkReceiver, LinkSender, Received};

use crate::network;

const LINKS: usize = 300;
/// What both ends of an idle plain link may cost together: half of what a server may spend on one with its session.
const BOTH_ENDS: usize = 2 * (8 << 10);

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Memory belongs to the process, so this test measures in another one, where nothing else runs.
#[tokio::test]
async fn an_idle_plain_link_costs_less_than_8_kib() {
    if std::env::var_os("DMR_TEST_MEASURE").is_none() {
        let test = "idle_memory::an_idle_plain_link_costs_less_than_8_kib";
        let mut itself = Command::new(std::env::current_exe().unwrap());
        let output = itself.args(["--exact", test, "--nocapture"]).env("DMR_TEST_MEASURE", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let _warm = links(20).await;
    let before = resident();
    let open = links(LINKS).await;
    let each = resident().saturating_sub(before) / LINKS;
    println!("both ends of an idle plain link: {each} bytes");
    assert!(each < BOTH_ENDS, "{each} bytes");
    drop(open);
}

/// Links that have carried a frame as long as a login's each way and are idle now.
async fn links(count: usize) -> Vec<impl Sized> {
    let login = Bytes::from(vec![7; 400]);
    let mut open = Vec::new();
    for _ in 0..count {
        let (agent, server) = network::pair("ws").await;
        let ((mut there, mut heard_there), (mut back, mut heard_back)) = (agent.split(), server.split());
        tokio::join!(pass(&mut there, &mut heard_back, &login), pass(&mut back, &mut heard_there, &login));
        open.push((there, heard_there, back, heard_back));
    }
    open
}

async fn pass(sender: &mut impl LinkSender, receiver: &mut impl LinkReceiver, frame: &Bytes) {
    let sending = async {
        sender.ready().await.unwrap();
        sender.queue(frame.clone()).unwrap();
        sender.flush().await.unwrap();
    };
    let ((), received) = tokio::join!(sending, receiver.receive());
    assert_eq!(received.unwrap(), Received::Frame(frame.clone()));
}
