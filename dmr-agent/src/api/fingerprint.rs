//! The fingerprint of a JSON value: equal for equal values, whatever the order of members and the white space.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a value in one fixed form. Kept instead of the body, which may be a megabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `value`.
    pub(crate) fn of(value: &Value) -> Self {
        let mut hash = Sha256::new();
        write(value, &mut hash);
        Self(hash.finalize().into())
    }
}

fn write(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Null => hash.update("n"),
        Value::Bool(true) => hash.update("t"),
        Value::Bool(false) => hash.update("f"),
        Value::Number(number) => write_text('#', &number.to_string(), hash),
        Value::String(text) => write_text('"', text, hash),
        Value::Array(values) => {
            write_len('[', values.len(), hash);
            values.iter().for_each(|value| write(value, hash));
        }
        Value::Object(members) => {
            write_len('{', members.len(), hash);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            for (name, value) in members {
                write_text('"', name, hash);
                write(value, hash);
            }
        }
    }
}

fn write_text(tag: char, text: &str, hash: &mut Sha256) {
    write_len(tag, text.len(), hash);
    hash.update(text);
}

/// The tag and the length first, so that no two values share a form.
fn write_len(tag: char, len: usize, hash: &mut Sha256) {
    hash.update([tag as u8]);
    hash.update(len.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprint {
        Fingerprint::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn order_of_members_white_space_and_escapes_do_not_matter() {
        assert!(of(r#"{"a":1,"b":[true,null,"ä"]}"#) == of(" { \"b\" : [true, null, \"\\u00e4\"], \"a\" : 1 } "));
    }

    #[test]
    fn other_values_have_other_fingerprints() {
        let texts = [
            "1",
            "1.5",
            "\"1\"",
            "[1]",
            "[[],1]",
            "[[1]]",
            "{}",
            "[]",
            "null",
            "{\"a\":\"b\"}",
            "[\"a\",\"b\"]",
            "\"\"",
        ];
        for (at, one) in texts.iter().enumerate() {
            for other in &texts[at + 1..] {
                assert!(of(one) != of(other), "{one} {other}");
            }
        }
    }
}
