//! Hexadecimal, as vector files hold it.

use serde_json::Value;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "an odd number of digits");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The bytes of a hexadecimal member.
pub(crate) fn field(value: &Value, name: &str) -> Vec<u8> {
    unhex(value[name].as_str().unwrap_or_else(|| panic!("no member {name}")))
}
