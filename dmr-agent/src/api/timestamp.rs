//! RFC 3339 times: checked, and otherwise left as they were written.

/// Longest time that is taken, in bytes: room for any sensible fraction of a second.
const MAX_LEN: usize = 64;

/// Whether `text` is an RFC 3339 date-time (section 5.6), with or without a fraction of a second.
///
/// Libraries read more than RFC 3339 allows (spaces, time zone names, missing offsets), so the form is checked here
/// and the calendar by the library.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    text.len() <= MAX_LEN
        && text.is_ascii()
        && parts(text).is_some_and(|plain| plain.parse::<jiff::Timestamp>().is_ok())
}

/// The time without its fraction, in capital letters, when its form is right.
fn parts(text: &str) -> Option<String> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let form_is_right = date_time.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b'T' | b't'),
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (offset.len() < fraction.len()).then_some(offset)?
        }
        None => rest,
    };
    (form_is_right && is_offset(offset)).then(|| format!("{date_time}{offset}").to_ascii_uppercase())
}

fn is_offset(text: &str) -> bool {
    let number = |digits: &str, below: u8| {
        digits.bytes().all(|digit| digit.is_ascii_digit()) && digits.parse::<u8>().is_ok_and(|value| value < below)
    };
    match text.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', _, _, b':', _, _] => {
            text.get(1..3).is_some_and(|hours| number(hours, 24))
                && text.get(4..6).is_some_and(|minutes| number(minutes, 60))
        }
        _ => false,
    }
}

/// The time now in UTC with milliseconds, as this agent writes it.
pub(crate) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339_are_taken() {
        for good in [
            "2026-01-31T23:59:59Z",
            "2026-01-31T23:59:59.1Z",
            "2026-01-31T23:59:59.123456789012Z",
            "2026-01-31t23:59:59z",
            "2026-01-31T23:59:59+02:00",
            "2024-02-29T00:00:00-00:00",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(is_rfc3339(good), "{good}");
        }
    }

    #[test]
    fn other_times_are_not() {
        for bad in [
            "",
            "now",
            "2026-01-31",
            "2026-01-31T23:59Z",
            "2026-01-31 23:59:59Z",
            "2026-01-31T23:59:59",
            "2026-01-31T23:59:59.Z",
            "2026-01-31T23:59:59+0200",
            "2026-01-31T23:59:59+24:00",
            "2026-01-31T23:59:59+02:60",
            "2026-01-31T23:59:59+02:00[Europe/Tallinn]",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "20260131T235959Z",
            "2026-01-31T23:59:5äZ",
            &format!("2026-01-31T23:59:59.{}Z", "1".repeat(80)),
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }

    #[test]
    fn what_this_agent_writes_is_what_it_takes() {
        assert!(is_rfc3339(&now()), "{}", now());
    }
}
