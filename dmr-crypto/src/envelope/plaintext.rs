//! Plaintext on its way into an envelope or out of one.

use std::ops::{Deref, DerefMut};

/// A content before it is sealed or after it was opened; wiped when it is dropped. The bytes of [`zeroize::Zeroizing`] are
/// overwritten one by one, which a long message would notice.
pub(super) struct Plaintext(pub(super) Vec<u8>);

impl Deref for Plaintext {
    type Target = Vec<u8>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Plaintext {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.fill(0);
        zeroize::optimization_barrier(self.0.as_slice());
    }
}
