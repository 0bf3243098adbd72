//! What a signed directory withstands.

mod content;
mod keeper;
mod ratchet;
mod root;
mod signature;

use dmr_core::directory::Directory;
use dmr_core::header::Suite;
use dmr_crypto::{DirectoryRefused, VerifiedDirectory};

use crate::documents::{Root, first_directory, pin};
use crate::world::{NOW, World};

pub(crate) fn verify(bundle: &str) -> Result<VerifiedDirectory, DirectoryRefused> {
    VerifiedDirectory::verify(bundle.as_bytes(), &pin(&["root key"], 1), NOW)
}

pub(crate) fn refusal(bundle: &str) -> DirectoryRefused {
    verify(bundle).unwrap_err()
}

pub(crate) fn first_json() -> String {
    String::from_utf8(first_directory().to_json().unwrap()).unwrap()
}

/// The first directory with a participant and a server, changed by `change`, as JSON that is not checked.
pub(crate) fn peopled() -> Directory {
    World::of(&["tax", "police"], Suite::XWing).directory.directory().clone()
}

pub(crate) fn root_line() -> String {
    Root::first().signed_by(&["root key"])
}
