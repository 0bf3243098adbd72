//! Golden vectors: `tests/vectors/*.json`, which fix every byte of the protocol for all languages.
//!
//! They are made here by the second writing of the specification (`reference`, `documents`) and compared byte for
//! byte with the files. `DMR_WRITE_VECTORS=1 cargo test -p dmr-crypto golden` writes the files instead: only for a
//! new version of the protocol.

mod checksums;
mod documents;
mod envelopes;
mod frames;
mod refused_directories;
mod refused_envelopes;
mod refused_frames;
mod refused_logins;

use std::fmt::Write as _;
use std::path::PathBuf;

use dmr_core::error_name::ErrorName;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(format!("{name}.json"))
}

/// Writes `value` with its members in order, two blanks for each level.
fn write(value: &Value, level: usize, out: &mut String) {
    let indent = "  ".repeat(level + 1);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (position, (name, member)) in members.into_iter().enumerate() {
                write!(out, "{}\n{indent}{}: ", if position == 0 { "{" } else { "," }, Value::from(name.as_str()))
                    .unwrap();
                write(member, level + 1, out);
            }
            write!(out, "\n{}}}", "  ".repeat(level)).unwrap();
        }
        Value::Array(members) if !members.is_empty() => {
            for (position, member) in members.iter().enumerate() {
                write!(out, "{}\n{indent}", if position == 0 { "[" } else { "," }).unwrap();
                write(member, level + 1, out);
            }
            write!(out, "\n{}]", "  ".repeat(level)).unwrap();
        }
        other => write!(out, "{other}").unwrap(),
    }
}

/// Compares `value` with the vector file byte for byte, or writes the file when asked to.
fn frozen(name: &str, value: &Value) {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    if std::env::var_os("DMR_WRITE_VECTORS").is_some() {
        std::fs::write(path(name), &text).unwrap();
    }
    let file = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}.json: {error}"));
    let differs = file.lines().zip(text.lines()).position(|(frozen, made)| frozen != made);
    assert!(
        file == text,
        "{name}.json is not what is made now; first difference in line {:?}",
        differs.map(|at| at + 1)
    );
}

/// The vector file, for the tests that read it as a stranger would.
fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

/// `ok`, or the stable name of the error.
fn outcome<T>(result: Result<T, impl ErrorName>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.error_name(),
    }
}
