//! What the documents say, compared with what the code says.

use std::collections::BTreeSet;

use dmr_core::limit;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::programs::workspace;

fn read(name: &str) -> Outcome<String> {
    std::fs::read_to_string(workspace().join(name)).doing(name)
}

/// Every reason there is: its number and its word.
fn reasons() -> Vec<(u16, &'static str)> {
    let rejects = RejectReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
    let closes = CloseReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
    let failures = FailureReason::ALL.iter().map(|reason| (reason.number(), reason.as_str()));
    rejects.chain(closes).chain(failures).collect()
}

#[test]
fn the_protocol_lists_every_reason_under_its_number_and_no_other() -> Outcome {
    let text = read("docs/protocol.md")?;
    let section = text.split("\n## ").find(|section| section.contains(". Reasons\n")).doing("a section of reasons")?;
    let listed = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number = cells.next()?.parse::<u16>().ok()?;
        let word = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((number, word))
    });
    let (mut listed, mut known): (Vec<_>, _) = (listed.collect(), reasons());
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
    Ok(())
}

#[test]
fn an_operator_finds_every_reason() -> Outcome {
    let text = read("docs/operating.md")?;
    for (_, word) in reasons() {
        assert!(text.contains(&format!("`{word}`")), "docs/operating.md says nothing about `{word}`");
    }
    Ok(())
}

#[test]
fn the_protocol_names_the_bounds_that_the_code_keeps() -> Outcome {
    let text = read("docs/protocol.md")?;
    let bounds = [
        limit::MESSAGE,
        limit::ENVELOPE,
        limit::HEADER,
        limit::FRAME,
        limit::LOGIN_FRAME,
        limit::DIRECTORY,
        limit::DIRECTORY_PART,
        limit::RECIPIENTS,
        limit::RECEIPTS,
    ];
    for bound in bounds {
        let written = with_commas(bound);
        assert!(text.contains(&format!("| {written}")), "docs/protocol.md has no bound of {written}");
    }
    Ok(())
}

/// A number as prose writes it: 1,048,576.
fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if first > 0 {
        groups.extend(digits.get(..first));
    }
    groups.extend((first..digits.len()).step_by(3).filter_map(|start| digits.get(start..start + 3)));
    groups.join(",")
}

/// The hexadecimal block after each `<!-- vector: FILE PATH -->`, with the file and the path into its JSON.
fn vector_blocks(text: &str) -> Vec<(String, String, String)> {
    let blocks = text.split("<!-- vector: ").skip(1).filter_map(|rest| {
        let (place, rest) = rest.split_once(" -->")?;
        let (file, path) = place.split_once(' ')?;
        let block = rest.trim_start().strip_prefix("```hex\n")?.split("```").next()?;
        Some((file.to_owned(), path.replace('.', "/"), block.split_whitespace().collect()))
    });
    blocks.collect()
}

#[test]
fn every_hexadecimal_block_of_the_worked_example_is_the_vectors() -> Outcome {
    let text = read("docs/protocol.md")?;
    let blocks = vector_blocks(&text);
    assert_eq!(blocks.len(), text.matches("```hex").count(), "a block without a vector");
    assert!(blocks.len() >= 10, "the worked example has only {} blocks", blocks.len());
    for (file, path, block) in blocks {
        let vector: serde_json::Value = serde_json::from_str(&read(&file)?).doing(&file)?;
        let expected = vector.pointer(&format!("/{path}")).and_then(serde_json::Value::as_str);
        assert_eq!(Some(block.as_str()), expected, "{file} {path}");
    }
    Ok(())
}

/// The stable words of the problems that the agent's HTTP API can answer with: the first text after a status.
fn problem_words() -> Outcome<BTreeSet<String>> {
    let directory = workspace().join("dmr-agent/src/api");
    let mut words = BTreeSet::new();
    for entry in std::fs::read_dir(&directory).doing(directory.display())? {
        let path = entry.doing(directory.display())?.path();
        let source = std::fs::read_to_string(&path).doing(path.display())?;
        let shipped = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let created = shipped.split("StatusCode::").skip(1).filter_map(|rest| {
            let (_, rest) = rest.split_once(',')?;
            rest.trim_start().strip_prefix('"')?.split('"').next()
        });
        words.extend(created.map(str::to_owned));
    }
    Ok(words)
}

#[test]
fn every_problem_of_the_http_api_is_documented() -> Outcome {
    let (words, text) = (problem_words()?, read("docs/http-api.md")?);
    assert!(words.len() >= 10 && words.contains("id-conflict"), "only {words:?} were found");
    for word in words {
        assert!(text.contains(&format!("`{word}`")), "docs/http-api.md says nothing about `{word}`");
    }
    Ok(())
}

/// The documents write `cargo demo -- OPTION`: an alias that ended in `--` itself would hand the program a second one,
/// after which every option is taken for a file.
#[test]
fn what_follows_the_dashes_of_an_alias_reaches_the_program_as_its_options() -> Outcome {
    let config = read(".cargo/config.toml")?;
    for program in ["demo", "load"] {
        let alias = config.lines().find(|line| line.starts_with(program)).doing(program)?;
        assert!(alias.ends_with(&format!("--bin {program}\"")), "{alias}");
    }
    Ok(())
}
