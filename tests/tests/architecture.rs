//! The rules of `docs/architecture.md` that a machine can check.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value yields null; it never panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dmr_tests::failure::{Doing, Failure, Outcome};
use dmr_tests::programs::{cargo, workspace};
use serde_json::Value;

/// Every package, and the library crates of this workspace that it may depend on outside its tests.
const PACKAGES: [(&str, &[&str]); 8] = [
    ("dmr-core", &[]),
    ("dmr-crypto", &["dmr-core"]),
    ("dmr-transport", &["dmr-core"]),
    ("dmr-server", &["dmr-core", "dmr-crypto", "dmr-transport"]),
    ("dmr-agent", &["dmr-core", "dmr-crypto", "dmr-transport"]),
    ("dmr-bindings", &["dmr-core", "dmr-crypto"]),
    ("dmr-examples", &["dmr-core", "dmr-crypto", "dmr-transport", "dmr-server", "dmr-agent", "dmr-tests"]),
    ("dmr-tests", &["dmr-core", "dmr-crypto", "dmr-transport", "dmr-server", "dmr-agent"]),
];

/// What can open an envelope. None of it may be in the server.
const OPENERS: [&str; 6] = ["hpke", "x25519-dalek", "chacha20poly1305", "ml-kem", "x-wing", "aes-gcm"];

/// Foreign crates that may be used in some places only, and in which.
const CONFINED: [(&str, &[&str]); 8] = [
    ("async_tungstenite", &["dmr-transport/src/websocket"]),
    ("bincode", &["dmr-core/src/codec.rs"]),
    ("curve25519_dalek", &["dmr-crypto"]),
    ("ed25519_dalek", &["dmr-crypto"]),
    ("hpke", &["dmr-crypto"]),
    ("lapin", &["dmr-transport", "examples/src/load/baseline"]),
    ("pyo3", &["bindings"]),
    ("x25519_dalek", &["dmr-crypto"]),
];

/// Everything at the top level that is not a dot-file.
const TOP_LEVEL: [&str; 15] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "bindings",
    "deploy",
    "dmr-agent",
    "dmr-core",
    "dmr-crypto",
    "dmr-server",
    "dmr-transport",
    "docs",
    "examples",
    "tests",
];

/// Names of files and modules that say nothing about what is in them.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "types", "manager"];

/// Most lines of a source file.
const LINES: usize = 600;

fn run(arguments: &[&str]) -> Outcome<String> {
    let what = format!("cargo {}", arguments.join(" "));
    let output = cargo().args(arguments).output().doing(&what)?;
    if !output.status.success() {
        return Err(Failure::new(format!("{what}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    String::from_utf8(output.stdout).doing(&what)
}

/// The packages of the workspace, by cargo's word.
fn packages() -> Outcome<Vec<Value>> {
    let metadata = run(&["metadata", "--locked", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).doing("cargo's metadata")?;
    metadata["packages"].as_array().cloned().doing("packages in cargo's metadata")
}

/// Names of all packages that `package` is built from.
fn tree(package: &str) -> Outcome<BTreeSet<String>> {
    tree_with(package, "")
}

/// The same with these features.
fn tree_with(package: &str, features: &str) -> Outcome<BTreeSet<String>> {
    let of = ["tree", "--locked", "--package", package, "--features", features];
    let lines = run(&[&of[..], &["--edges", "normal,build", "--prefix", "none"]].concat())?;
    Ok(lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// Every file of the repository whose name ends so, with its path from the root.
fn files(extensions: &[&str]) -> Outcome<Vec<(PathBuf, String)>> {
    let (mut found, mut pending) = (Vec::new(), vec![workspace().to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).doing(directory.display())? {
            let path = entry.doing(directory.display())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != ".git" && name != "node_modules" && !name.starts_with("target") {
                    pending.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                let text = std::fs::read_to_string(&path).doing(path.display())?;
                found.push((path.strip_prefix(workspace()).unwrap_or(&path).to_owned(), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn the_packages_are_these_and_depend_on_each_other_only_as_drawn() -> Outcome {
    let packages = packages()?;
    let allowed: BTreeMap<&str, &[&str]> = PACKAGES.into_iter().collect();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(names, allowed.keys().copied().collect());

    for package in &packages {
        let name = package["name"].as_str().doing("a package's name")?;
        for dependency in package["dependencies"].as_array().doing("a package's dependencies")? {
            let (on, kind) = (dependency["name"].as_str().unwrap_or_default(), &dependency["kind"]);
            let ours = allowed.contains_key(on);
            let may = allowed.get(name).is_some_and(|may| may.contains(&on));
            assert!(!ours || kind == "dev" || may, "{name} must not depend on {on}");
        }
    }
    Ok(())
}

#[test]
fn the_server_is_built_from_nothing_that_can_open_a_message() -> Outcome {
    let (server, agent) = (tree("dmr-server")?, tree("dmr-agent")?);
    for opener in OPENERS {
        assert!(!server.contains(opener), "dmr-server is built from {opener}");
    }
    // The same look at the agent finds them: the rule above can fail.
    for opener in ["hpke", "x25519-dalek", "chacha20poly1305", "ml-kem"] {
        assert!(agent.contains(opener), "dmr-agent is not built from {opener}: is this list out of date?");
    }
    Ok(())
}

#[test]
fn no_program_is_built_from_another_tls_or_crypto_library() -> Outcome {
    for package in ["dmr-server", "dmr-agent"] {
        for banned in ["ring", "openssl-sys", "native-tls"] {
            assert!(!tree(package)?.contains(banned), "{package} is built from {banned}");
        }
    }
    Ok(())
}

#[test]
fn the_bindings_bring_no_runtime_and_no_sockets_into_other_languages() -> Outcome {
    let (bindings, agent) = (tree_with("dmr-bindings", "c,python")?, tree("dmr-agent")?);
    for runtime in ["tokio", "mio", "socket2", "async-tungstenite", "rustls"] {
        assert!(!bindings.contains(runtime), "dmr-bindings is built from {runtime}");
        assert!(agent.contains(runtime), "dmr-agent is not built from {runtime}: is this list out of date?");
    }
    assert!(bindings.contains("pyo3") && bindings.contains("dmr-crypto"));
    Ok(())
}

#[test]
fn each_confined_crate_is_named_in_one_place_only() -> Outcome {
    let files = files(&[".rs"])?;
    for (confined, homes) in CONFINED {
        let (path, import) = (format!("{confined}::"), format!("use {confined}"));
        for (file, text) in &files {
            let code = || text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let names = code().any(|line| line.contains(&path) || line.contains(&import));
            let here = file == Path::new("tests/tests/architecture.rs");
            let home = homes.iter().any(|home| file.starts_with(home));
            assert!(!names || here || home, "{} names {confined}", file.display());
        }
    }
    Ok(())
}

#[test]
fn the_top_level_holds_only_what_is_meant_to_be_there() -> Outcome {
    for entry in std::fs::read_dir(workspace()).doing("the top level")? {
        let name = entry.doing("the top level")?.file_name().to_string_lossy().into_owned();
        let expected = TOP_LEVEL.contains(&name.as_str()) || name.starts_with('.') || name.starts_with("target");
        assert!(expected, "{name} is at the top level");
    }
    Ok(())
}

#[test]
fn no_source_file_is_long_or_has_an_empty_name() -> Outcome {
    for (file, text) in files(&[".rs", ".py", ".c", ".cpp", ".mjs"])? {
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines, {LINES} allowed", file.display());
        for part in file.with_extension("").components() {
            let name = part.as_os_str().to_string_lossy();
            assert!(!EMPTY_NAMES.contains(&name.as_ref()), "{} is called {name}", file.display());
        }
    }
    Ok(())
}

#[test]
fn both_programs_begin_in_at_most_fifty_lines() -> Outcome {
    for program in ["dmr-server", "dmr-agent"] {
        let path = workspace().join(program).join("src/main.rs");
        let lines = std::fs::read_to_string(&path).doing(path.display())?.lines().count();
        assert!(lines <= 50, "{} has {lines} lines", path.display());
    }
    Ok(())
}

#[test]
fn nothing_here_needs_anything_outside_the_repository() -> Outcome {
    // In two parts, so that this file does not contain them.
    let outside = [["..", "/shared"].concat(), ["/work", "/"].concat()];
    let written =
        [".rs", ".toml", ".md", ".json", "run", ".yml", ".yaml", ".txt", ".py", ".pyi", ".c", ".cpp", ".h", ".mjs"];
    for (file, text) in files(&written)? {
        for mention in &outside {
            assert!(!text.contains(mention.as_str()), "{} mentions {mention}", file.display());
        }
    }
    Ok(())
}

#[test]
fn every_link_in_the_documentation_leads_somewhere() -> Outcome {
    for (file, text) in files(&[".md"])? {
        let directory = workspace().join(file.parent().unwrap_or(Path::new("")));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://") && !target.contains(' ');
            assert!(!local || directory.join(target).exists(), "{} links to {target}", file.display());
        }
    }
    Ok(())
}
