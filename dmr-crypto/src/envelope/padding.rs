//! Padding: the size of a sealed content tells little about it (Padmé, Nikitin et al. 2019, section 4).

/// Bytes of the length before the content.
const LENGTH: usize = 4;
/// Shortest padded content.
const MIN: usize = 512;

/// The padded length of `len` bytes: at most 12 % more, and of few different values.
fn padme(len: usize) -> usize {
    let exponent = len.max(2).ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << exponent.saturating_sub(kept)) - 1;
    (len + mask) & !mask
}

/// The length of `content` bytes once padded.
pub(crate) fn padded_len(content: usize) -> usize {
    padme((LENGTH + content).max(MIN))
}

/// `u32(len c) ‖ c ‖ zeros`, with room for the cipher's tag so that sealing in place never moves it; `None` when the
/// length does not fit.
pub(crate) fn pad(content: &[u8], room: usize) -> Option<Vec<u8>> {
    let len = u32::try_from(content.len()).ok()?;
    let padded = padded_len(content.len());
    let mut bytes = Vec::with_capacity(padded + room);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(padded, 0);
    Some(bytes)
}

/// The content of `padded`; `None` for any other length or filling than [`pad`] makes.
pub(crate) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (len, rest) = padded.split_first_chunk::<LENGTH>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (content, filling) = rest.split_at_checked(len)?;
    let right = padded.len() == padded_len(len) && filling.iter().all(|byte| *byte == 0);
    right.then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_grow_by_the_steps_of_padme() {
        for (len, padded) in
            [(0, 512), (507, 512), (508, 512), (509, 544), (1020, 1024), (1021, 1088), (1 << 20, 1_081_344)]
        {
            assert_eq!(padded_len(len), padded, "{len}");
        }
        for len in (0..200_000).step_by(37) {
            let padded = padded_len(len);
            assert!(padded >= len + LENGTH && padded <= (len + LENGTH).max(MIN) * 112 / 100, "{len} {padded}");
        }
    }

    #[test]
    fn a_content_survives_its_padding() {
        for len in [0, 1, 507, 508, 509, 5000] {
            let content = vec![0xa5; len];
            assert_eq!(unpad(&pad(&content, 16).unwrap()), Some(content.as_slice()));
        }
    }

    #[test]
    fn any_other_padding_is_refused() {
        let right = pad(b"content", 0).unwrap();
        let mut not_zero = right.clone();
        *not_zero.last_mut().unwrap() = 1;
        let mut longer = right.clone();
        longer.push(0);
        let mut lies = right.clone();
        lies[3] = 8;
        let mut huge = right.clone();
        huge[0] = 0xff;
        assert_eq!(unpad(&not_zero), None);
        assert_eq!(unpad(&longer), None);
        assert_eq!(unpad(&right[..511]), None);
        assert_eq!(unpad(&huge), None);
        assert_eq!(unpad(&[0; 3]), None);
        // A longer content that ends in a zero: the same bytes may only mean one of the two.
        assert_eq!(unpad(&lies), Some(b"content\0".as_slice()));
    }
}
