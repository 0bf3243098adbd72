//! Identifiers and names from any text.

use dmr_core::id::{Digest, KeyId, MessageId, Name};
use proptest::prelude::*;

/// Any text: accepted text is what the value shows again, and nothing else is accepted.
pub(crate) fn any_text(text: &str) {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let is_name = (1..=64).contains(&text.len())
        && text.starts_with(plain)
        && text.chars().all(|char| plain(char) || "._-".contains(char));
    assert_eq!(text.parse::<Name>().ok().map(|name| name.to_string()), is_name.then(|| text.to_owned()));
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn any_text_is_refused_or_shown_again(
        text in prop_oneof![".{0,70}", "[a-z0-9._-]{0,66}", "[0-9a-fA-F+-]{30,40}", "[0-9a-f]{64}"],
    ) {
        any_text(&text);
    }

    #[test]
    fn ids_survive_their_text(bytes: [u8; 16], digest: [u8; 32]) {
        if let Ok(id) = MessageId::from_bytes(bytes) {
            any_text(&id.to_string());
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
        prop_assert_eq!(KeyId(bytes).to_string().parse(), Ok(KeyId(bytes)));
        prop_assert_eq!(Digest(digest).to_string().parse(), Ok(Digest(digest)));
    }

    #[test]
    fn ids_of_any_bytes_are_never_nil(bytes: [u8; 16]) {
        for id in [MessageId::from_custom_bytes(bytes), MessageId::from_random_bytes(bytes)] {
            prop_assert_eq!(MessageId::from_bytes(*id.as_bytes()), Ok(id));
        }
        prop_assert_eq!(MessageId::from_custom_bytes([0; 16]).to_string(), "00000000-0000-8000-8000-000000000000");
    }
}
