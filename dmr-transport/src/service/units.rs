//! Durations and sizes as people write them: `30d`, `500ms`, `64KiB`.

use std::time::Duration;

/// Why a text is not a duration or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// Not a whole number followed by a unit of time.
    #[error("not a duration: a whole number and one of ms, s, m, h, d, as in 90s or 30d")]
    Duration,
    /// Longer than a hundred years, which no setting means.
    #[error("a duration is at most 36500d")]
    TooLong,
    /// Not a whole number, optionally followed by a unit of size.
    #[error("not a size: a whole number of bytes, or with KiB, MiB or GiB, as in 64KiB")]
    Size,
}

const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

/// A duration: a whole number and `ms`, `s`, `m`, `h` or `d`. A clap value parser.
///
/// # Errors
/// [`UnitError`].
///
/// ```
/// use dmr_transport::service::units::duration;
/// assert_eq!(duration("90s").unwrap().as_secs(), 90);
/// assert!(duration("90").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Duration)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(UnitError::Duration),
    };
    let span = number.checked_mul(millis).map(Duration::from_millis).ok_or(UnitError::TooLong)?;
    if span > LONGEST { Err(UnitError::TooLong) } else { Ok(span) }
}

/// A size in bytes: a whole number, alone or with `B`, `KiB`, `MiB` or `GiB`. A clap value parser.
///
/// # Errors
/// [`UnitError::Size`].
///
/// ```
/// use dmr_transport::service::units::size;
/// assert_eq!(size("64KiB"), Ok(65_536));
/// ```
pub fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Size)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(UnitError::Size),
    };
    number.checked_mul(bytes).ok_or(UnitError::Size)
}

/// The digits at the start as a number, and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [("500ms", 500), ("90s", 90_000), ("5m", 300_000), ("12h", 43_200_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "s", "90", "-1s", "1.5h", "1 h", "1w", "1h30m", "٣s"] {
            assert_eq!(duration(bad), Err(UnitError::Duration), "{bad}");
        }
        for long in ["36501d", "18446744073709551615d"] {
            assert_eq!(duration(long), Err(UnitError::TooLong), "{long}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_binary_multiples() {
        for (text, bytes) in [("0", 0), ("100", 100), ("7B", 7), ("4KiB", 4096), ("1MiB", 1 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "KiB", "1KB", "1 KiB", "-1", "1.5MiB", "18446744073709551615GiB"] {
            assert_eq!(size(bad), Err(UnitError::Size), "{bad}");
        }
    }
}
