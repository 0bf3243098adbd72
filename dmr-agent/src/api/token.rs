//! The bearer token of the HTTP API (RFC 6750).

use std::fmt;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Shortest token, in bytes: 16 random characters cannot be guessed.
const MIN_LEN: usize = 16;

/// What callers of the HTTP API must show. Kept as its SHA-256; `Debug` shows nothing.
#[derive(Clone)]
pub struct BearerToken([u8; 32]);

impl BearerToken {
    /// The token in a file: its one line of at least 16 visible ASCII characters, or `None` when that is no token.
    pub fn from_file(bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let visible = line.iter().all(u8::is_ascii_graphic);
        (line.len() >= MIN_LEN && visible).then(|| Self(Sha256::digest(line).into()))
    }

    /// Whether these headers carry it. Takes the same time for every wrong token of one length.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked(7) else { return false };
        let digest: [u8; 32] = Sha256::digest(token).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(self.0.ct_eq(&digest))
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn a_token_is_one_line_of_at_least_sixteen_visible_characters() {
        for good in [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("{TOKEN}\r\n")] {
            assert!(BearerToken::from_file(good.as_bytes()).is_some(), "{good:?}");
        }
        for bad in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore", "0123456789abcdé\n"] {
            assert!(BearerToken::from_file(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_right_token_opens() {
        let token = BearerToken::from_file(TOKEN.as_bytes()).unwrap();
        let shows = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            token.is_in(&headers)
        };
        assert!(shows("Bearer 0123456789abcdef") && shows("bearer 0123456789abcdef"));
        for wrong in ["", "Bearer", "Bearer ", "Basic 0123456789abcdef", "Bearer 0123456789abcdee", TOKEN] {
            assert!(!shows(wrong), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "BearerToken");
    }
}
