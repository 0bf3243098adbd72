//! The native module `dmr._dmr` of the Python package: what `python/dmr/_dmr.pyi` declares.
//!
//! ```text
//!   value ── times, ids, buffers in and out        error ── an error of the crates, as its exception
//!     ▲                                               ▲
//!   keys   directory   envelope   login   authority   exchange ── outputs
//! ```
//!
//! Classes are frozen and may be shared between threads. Whatever costs more than a microsecond runs without the
//! interpreter's lock, inside [`error::boundary`], which lets no panic through. Plain values (references, events) are
//! named tuples of `dmr.values` and `dmr.events`, made here.

mod authority;
mod directory;
mod envelope;
mod error;
mod exchange;
mod keys;
mod login;
mod opened;
mod output;
mod value;

use pyo3::prelude::*;

/// What `import dmr` stands on. Not for use by itself.
#[pymodule]
#[pyo3(name = "_dmr")]
mod native {
    #[pymodule_export]
    use super::authority::{AuthorityKey, add, found, remove, renew, revoke};
    #[pymodule_export]
    use super::directory::{Directory, DirectoryTrust, Pin};
    #[pymodule_export]
    use super::envelope::{Envelope, open, seal, verify};
    #[pymodule_export]
    use super::exchange::{Exchange, InHand, SealedMessage};
    #[pymodule_export]
    use super::keys::Keys;
    #[pymodule_export]
    use super::login::{answer_id, prove_login, verify_challenge, verify_login};
    #[pymodule_export]
    use super::opened::{Facts, Opened};
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ERRORS", error::table(module.py())?)?;
        module.add("FRAME_LIMIT", dmr_core::limit::FRAME)?;
        module.add("MESSAGE_LIMIT", dmr_core::limit::MESSAGE)?;
        module.add("ENVELOPE_LIMIT", dmr_core::limit::ENVELOPE)?;
        module.add("DIRECTORY_LIMIT", dmr_core::limit::DIRECTORY)?;
        module.add("RECIPIENTS_LIMIT", dmr_core::limit::RECIPIENTS)
    }
}
