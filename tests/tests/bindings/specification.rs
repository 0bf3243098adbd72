//! The specification, not the code, is what interoperates: `docs/protocol.md` written down in Python over a stock library.

use std::collections::BTreeSet;
use std::path::Path;

use dmr_tests::bindings::environment::{python, run_python};
use dmr_tests::draws::Draws;
use dmr_tests::drill::{count, say, seed};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::programs::workspace;

use crate::cross::{Language, all_open_all, sizes};
use crate::stage::Stage;

/// The programs of `tests/specification`.
fn programs() -> Outcome<Vec<(String, String)>> {
    let directory = workspace().join("tests/specification");
    let mut programs = Vec::new();
    for entry in std::fs::read_dir(&directory).doing(directory.display())? {
        let path = entry.doing(directory.display())?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            programs.push((name, std::fs::read_to_string(&path).doing(path.display())?));
        }
    }
    Ok(programs)
}

#[test]
fn the_specification_agrees_with_every_vector() -> Outcome {
    let program = workspace().join("tests/specification/vectors.py");
    let said = run_python(&[&program.to_string_lossy()])?;
    let vectors = workspace().join("tests/vectors");
    for entry in std::fs::read_dir(&vectors).doing(vectors.display())? {
        let path = entry.doing(vectors.display())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") {
            assert!(said.lines().any(|line| line.starts_with(&format!("{name}: "))), "{name} is not read:\n{said}");
        }
    }
    Ok(())
}

#[test]
fn the_specification_and_rust_open_what_the_other_sealed() -> Outcome {
    let (stage, seed) = (Stage::new()?, seed());
    say(format_args!("DMR_SEED={seed}"));
    let mut draws = Draws::new(seed);
    let mut both = [Language::rust(&stage)?, Language::specification(&stage)?];
    for suite in [1, 2] {
        for size in sizes(&mut draws, count(10, 200)) {
            all_open_all(&mut both, &stage, &mut draws, suite, size)?;
        }
    }
    both.into_iter().try_for_each(Language::end)
}

/// What a line imports: the first part of the module's name.
fn imported(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("import ").or_else(|| line.trim_start().strip_prefix("from "))?;
    rest.split([' ', '.', ',']).next()
}

#[test]
fn the_specification_is_written_down_with_a_stock_library_and_nothing_of_ours() -> Outcome {
    let programs = programs()?;
    let own: BTreeSet<&str> = programs.iter().map(|(name, _)| name.as_str()).collect();
    let standard = ["base64", "hashlib", "hmac", "json", "os", "pathlib", "re", "struct", "sys", "uuid"];
    let mut all = BTreeSet::new();
    for (name, text) in &programs {
        for module in text.lines().filter_map(imported) {
            assert!(
                own.contains(module) || standard.contains(&module) || module == "cryptography",
                "{name}.py imports {module}"
            );
            all.insert(module);
        }
    }
    assert!(all.contains("cryptography") && own.len() >= 7, "{all:?} {own:?}");
    Ok(())
}

#[test]
fn the_program_in_the_document_opens_the_worked_example() -> Outcome {
    let document = workspace().join("docs/protocol.md");
    let text = std::fs::read_to_string(&document).doing(document.display())?;
    let program = text.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).doing("a program")?;
    let run = |directory: &Path| {
        let command = std::process::Command::new("timeout")
            .args(["--signal=KILL", "60"])
            .arg(python()?)
            .args(["-c", program])
            .current_dir(directory)
            .output();
        command.doing("running the program of the document")
    };
    let output = run(workspace())?;
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "{\"question\":\"Is the passport ready?\"}\n", "{log}");
    assert!(program.contains(said.trim()), "the document shows what its program prints");
    Ok(())
}
