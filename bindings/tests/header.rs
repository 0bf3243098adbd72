//! `include/dmr.h` is what the sources say, and changes only with them.
//!
//! ```text
//! DMR_WRITE_HEADER=1 cargo test -p dmr-bindings --features c --test header
//! ```

#![cfg(feature = "c")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::fmt::Write as _;
use std::path::Path;

use dmr::ErrorCode;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};

/// The sources, in the order in which their items stand in the header.
const SOURCES: [&str; 18] = [
    "library",
    "last_error",
    "bytes",
    "id",
    "keys",
    "directory",
    "trust",
    "authority",
    "seal",
    "open",
    "header",
    "receipt",
    "login",
    "session_config",
    "session",
    "exchange",
    "event",
    "transmit",
];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One enumerator to a line.
fn enumeration(name: &str, doc: &str, enumerators: impl IntoIterator<Item = (String, u16)>) -> String {
    let mut text = format!("\n/**\n * {doc}\n */\ntypedef enum {name} {{\n");
    for (enumerator, number) in enumerators {
        writeln!(text, "    {enumerator} = {number},").unwrap();
    }
    // The size of an int, whatever numbers are added.
    let last = format!("{}_LARGEST", name.to_ascii_uppercase());
    writeln!(text, "    {last} = 0x7fffffff\n}} {name};").unwrap();
    text
}

fn reasons(prefix: &'static str, all: Vec<(&'static str, u16)>) -> impl Iterator<Item = (String, u16)> {
    let name = move |word: &str| format!("DMR_{prefix}_{}", word.replace('-', "_").to_ascii_uppercase());
    all.into_iter().map(move |(word, number)| (name(word), number))
}

/// What no source of C says: the table of errors, and the core's tables of reasons.
fn enumerations() -> String {
    let codes = dmr::code::TABLE.iter().filter_map(|(number, _)| ErrorCode::from_number(*number));
    let codes = codes.map(|code| (code.enumerator(), code.number()));
    let status = "What a call came to: DMR_OK, or the number of an error. The hundreds are kinds: 1 input, 2 directory, 3 keys,\n \
        * 4 trust, 5 authority and standing, 6 verification and login, 7 sealing and opening, 8 the call itself, 9 why nothing\n \
        * is sent or no login tried. A number keeps its meaning for ever; a newer library may return others.";
    let close = CloseReason::ALL.iter().map(|reason| (reason.as_str(), reason.number())).collect();
    let reject = RejectReason::ALL.iter().map(|reason| (reason.as_str(), reason.number())).collect();
    let failure = FailureReason::ALL.iter().map(|reason| (reason.as_str(), reason.number())).collect();
    let texts = format!(
        "\n/**\n * WebSocket subprotocol that both sides name.\n */\n#define DMR_SUBPROTOCOL \"{}\"\n\n/**\n \
         * Content type of a body that dmr_receipts_encode makes.\n */\n#define DMR_RECEIPTS_TYPE \"{}\"\n",
        dmr::c::DMR_SUBPROTOCOL,
        dmr_core::content::RECEIPTS_TYPE,
    );
    [
        texts,
        enumeration("dmr_status", status, [("DMR_OK".to_owned(), 0)].into_iter().chain(codes)),
        enumeration(
            "dmr_close",
            "Why a link was closed, as a WebSocket close code. Below 3500: connect again; from there: much later.",
            reasons("CLOSE", close),
        ),
        enumeration(
            "dmr_reject",
            "Why a server did not take a publish. Below 500: never will; from there: may be published again.",
            reasons("REJECT", reject),
        ),
        enumeration(
            "dmr_failure",
            "Why an accepted message is never delivered, or why its recipient refused it.",
            reasons("FAILURE", failure),
        ),
    ]
    .concat()
}

fn generated() -> String {
    let mut config = cbindgen::Config::from_file(here().join("cbindgen.toml")).unwrap();
    config.header = Some(std::fs::read_to_string(here().join("include/preface.txt")).unwrap());
    config.after_includes = Some(enumerations());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(here().join("src/c").join(source).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn the_header_in_the_repository_is_what_the_sources_say() {
    let (path, generated) = (here().join("include/dmr.h"), generated());
    if std::env::var_os("DMR_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let differs = committed.lines().zip(generated.lines()).position(|(one, other)| one != other);
    assert!(
        committed == generated,
        "dmr.h differs from its sources, first in line {}. Write it anew:\n    \
         DMR_WRITE_HEADER=1 cargo test -p dmr-bindings --features c --test header",
        differs.map_or(committed.lines().count().min(generated.lines().count()), |line| line + 1),
    );
}

#[test]
fn the_library_is_named_after_the_version_of_the_interface_everywhere() {
    let abi = dmr::c::DMR_ABI;
    for (file, expected) in [
        ("install", format!("\nabi={abi}\n")),
        ("build.rs", format!("-soname,libdmr.so.{abi}\"")),
        ("README.md", format!("(`libdmr.so.{abi}`)")),
        ("include/dmr.h", format!("\n#define DMR_ABI {abi}\n")),
    ] {
        assert!(std::fs::read_to_string(here().join(file)).unwrap().contains(&expected), "{file}: not {expected:?}");
    }
}

#[test]
fn every_file_of_the_surface_is_in_the_header_and_every_function_is_described() {
    let header = generated();
    let mut functions = 0;
    for entry in std::fs::read_dir(here().join("src/c")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for item in text.split("pub unsafe extern \"C\" fn ").skip(1) {
            let name = item.split('(').next().unwrap();
            let at = header.find(&format!("dmr_status {name}(")).unwrap_or_else(|| panic!("{name} is not in dmr.h"));
            assert!(header[..at].trim_end().ends_with("*/"), "{name} is not described");
            functions += 1;
        }
    }
    assert!(functions > 50, "{functions}");
}
