//! The C library: what a C program sees.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where something is not as it must be")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dmr_core::directory::{Card, IdentityKey, KeyUse, Server, Validity};
use dmr_core::time::Timestamp;
use dmr_tests::bindings::c_library::{built, compile, flat_vectors, install_to, run};
use dmr_tests::bindings::node;
use dmr_tests::failure::{Doing, Outcome};
use dmr_tests::programs::workspace;

const SURFACE: [&str; 11] =
    ["surface", "network", "keys", "directory", "sealing", "login", "frozen", "session", "misuse", "nulls", "threads"];
const VECTORS: [&str; 3] = ["vectors", "network", "frozen"];
const SANITIZED: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

fn sources(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| workspace().join("bindings/tests/c").join(name).with_extension("c")).collect()
}

/// The vectors, and the card of the relay whose challenge is among them.
fn vectors(directory: &Path) -> Outcome<PathBuf> {
    let text = fs::read_to_string(workspace().join("tests/vectors/login.json")).doing("login.json")?;
    let login: serde_json::Value = serde_json::from_str(&text).doing("login.json")?;
    let digits = login["server_public"].as_str().doing("server_public")?;
    let public: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let identity_keys = vec![IdentityKey {
        public: public.try_into().unwrap(),
        usage: KeyUse { sign: false, login: true },
        validity: Validity { not_before: Timestamp(1_789_913_600_000), not_after: Timestamp(1_821_536_000_000) },
    }];
    let card = Card::Server(Server { name: "relay".parse().unwrap(), identity_keys });
    let file = directory.join("vectors.txt");
    flat_vectors(&file, &[("made.server_card", std::str::from_utf8(&card.to_json().unwrap()).unwrap())])?;
    Ok(file)
}

fn says(command: &mut Command, expected: &str) -> Outcome {
    let output = run(command)?;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), expected);
    Ok(())
}

fn both(compiler: &str, flags: &[&str]) -> Outcome {
    let directory = tempfile::tempdir().doing("a temporary directory")?;
    let vectors = vectors(directory.path())?;
    let program = compile("surface", &sources(&SURFACE), compiler, flags)?;
    says(Command::new(program).arg(&vectors), "all is well")?;
    let program = compile("vectors", &sources(&VECTORS), compiler, flags)?;
    says(Command::new(program).arg(&vectors), "every vector holds")
}

#[test]
fn programs_compiled_by_gcc_use_every_function_and_read_every_vector() -> Outcome {
    both("gcc", &[])
}

#[test]
fn programs_compiled_by_clang_use_every_function_and_read_every_vector() -> Outcome {
    both("clang", &[])
}

#[test]
fn the_address_sanitizer_of_gcc_finds_nothing() -> Outcome {
    both("gcc", SANITIZED)
}

#[test]
fn the_address_sanitizer_of_clang_finds_nothing() -> Outcome {
    both("clang", SANITIZED)
}

#[test]
fn valgrind_finds_no_error_and_no_lost_memory() -> Outcome {
    let directory = tempfile::tempdir().doing("a temporary directory")?;
    let vectors = vectors(directory.path())?;
    for (name, names, words) in [("surface", &SURFACE[..], "all is well"), ("vectors", &VECTORS, "every vector holds")]
    {
        let program = compile(&format!("{name}-valgrind"), &sources(names), "gcc", &[])?;
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,possible"]);
        says(valgrind.arg("--error-exitcode=9").arg(program).arg(&vectors), words)?;
    }
    Ok(())
}

/// The functions in the header, and how many pointers each is given that must not be null.
fn functions() -> BTreeMap<String, usize> {
    let header = fs::read_to_string(workspace().join("bindings/include/dmr.h")).unwrap();
    let prototypes = header.split("\ndmr_status ").skip(1).map(|rest| rest.split(");").next().unwrap());
    prototypes
        .map(|prototype| {
            let (name, parameters) = prototype.split_once('(').unwrap();
            // A directory is not needed for a login, and cards may be none.
            let optional = usize::from(["dmr_login_prove", "dmr_session_sign"].contains(&name));
            let pointers = parameters.split(',').filter(|parameter| parameter.contains('*')).count();
            (name.to_owned(), pointers - optional)
        })
        .collect()
}

#[test]
fn the_programs_call_every_function_and_put_a_null_in_every_place() {
    let functions = functions();
    assert!(functions.len() > 50, "{}", functions.len());
    let text = |name: &str| fs::read_to_string(sources(&[name]).remove(0)).unwrap();
    let used: String = SURFACE.iter().filter(|name| **name != "nulls").map(|name| text(name)).collect();
    let uncalled: BTreeSet<_> = functions.keys().filter(|name| !used.contains(&format!("{name}("))).collect();
    assert!(uncalled.is_empty(), "not called by any C program: {uncalled:?}");
    let nulls = text("nulls");
    for (function, pointers) in &functions {
        let places = nulls.matches(&format!("NULL_IN({function}(")).count();
        assert!(places >= *pointers, "{function} has {pointers} pointers, and {places} are tried as null");
    }
}

#[test]
fn one_command_installs_what_a_compiler_finds_by_pkg_config() -> Outcome {
    let prefix = tempfile::tempdir().doing("a temporary directory")?;
    install_to(prefix.path(), &built()?)?;
    let config = prefix.path().join("lib/pkgconfig");
    let program = prefix.path().join("vectors");
    let source = sources(&VECTORS);
    let names: Vec<_> = source.iter().map(|path| path.display().to_string()).collect();
    let shared = format!("gcc -std=c11 {} $(pkg-config --cflags --libs dmr) -o {}", names.join(" "), program.display());
    run(Command::new("sh").args(["-c", &shared]).env("PKG_CONFIG_PATH", &config))?;
    let vectors = vectors(prefix.path())?;
    says(Command::new(&program).arg(&vectors).env("LD_LIBRARY_PATH", prefix.path().join("lib")), "every vector holds")?;
    let needed = run(Command::new("readelf").arg("-d").arg(&program))?;
    assert!(String::from_utf8_lossy(&needed.stdout).contains("[libdmr.so.0]"), "not linked by the versioned name");

    // The static library, with what it needs of the system.
    fs::remove_file(prefix.path().join("lib/libdmr.so")).doing("removing the shared library")?;
    let linked = shared.replace("--libs dmr", "--static --libs dmr");
    run(Command::new("sh").args(["-c", &linked]).env("PKG_CONFIG_PATH", &config))?;
    says(Command::new(&program).arg(&vectors), "every vector holds")
}

/// What the example shows in every language.
fn shows_a_sealed_message(command: &mut Command) -> Outcome {
    let shown = String::from_utf8_lossy(&run(command)?.stdout).into_owned();
    for line in
        ["opened      \"Is report 2026-00417 registered with you?\"", "tampered    the signature is not the sender's"]
    {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in\n{shown}");
    }
    Ok(())
}

#[test]
fn the_examples_in_c_and_cpp_and_for_node_seal_and_open() -> Outcome {
    for (source, compiler) in [("seal_and_open.c", "gcc"), ("seal_and_open.c", "clang"), ("seal_and_open.cpp", "g++")] {
        let program = compile("seal_and_open", &[workspace().join("examples").join(source)], compiler, &[])?;
        shows_a_sealed_message(&mut Command::new(program))?;
    }
    shows_a_sealed_message(&mut node::program("seal_and_open.mjs")?)
}
