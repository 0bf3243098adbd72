//! The wish to stop: the first signal ends the work, the second the process.

use std::future::Future;
use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal as on};

/// Exit code after the second signal: 128 and the number of SIGINT, as a shell would say it.
const IMPATIENT: i32 = 130;

/// Completes at the first SIGTERM or SIGINT. After that, another one ends the process at once, with code 130.
///
/// The signals are caught from this call on, not only while the future is polled. Call it inside a tokio runtime.
///
/// # Errors
/// The handlers could not be installed.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? };
    Ok(async move {
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            process::exit(IMPATIENT);
        });
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
