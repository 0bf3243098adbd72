//! Settings from three places: the command line, `DMR_…` variables, and a TOML file, in this order of precedence.
//!
//! A program declares its options once, with clap. This module reads the file that `--config` names and gives clap
//! those of its values that neither the command line nor the environment has set, so that every value passes through
//! the same parser and the same messages.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, Parser};
use toml::Value;

/// Largest settings file, in bytes.
const FILE: u64 = 1 << 20;
/// The option that names the file.
const CONFIG: &str = "config";

/// The option that names the settings file. Flatten it into a program's options.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigFile {
    /// TOML file with options under their long names, such as `listen = "127.0.0.1:8075"`. The command line and the
    /// environment come first; unknown keys are refused.
    #[arg(long, value_name = "FILE", env = "DMR_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The options are wrong, or were asked to be explained.
    #[error("{0}")]
    Usage(Usage),
    /// The settings file cannot be read.
    #[error("{}: {error}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The settings file is longer than 1 MiB.
    #[error("{}: longer than 1 MiB", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
    /// The settings file is not TOML.
    #[error("{}: {message}", file.display())]
    NotToml {
        /// Which file.
        file: PathBuf,
        /// Where and why, from the parser.
        message: Box<str>,
    },
    /// The settings file has a key that is no option of this program, or has one twice.
    #[error("{}: unknown or repeated key '{key}'", file.display())]
    UnknownKey {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: Box<str>,
    },
    /// A value in the settings file has a type that its option cannot have.
    #[error("{}: '{key}' must be {expected}", file.display())]
    WrongType {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: Box<str>,
        /// What it must be.
        expected: &'static str,
    },
}

/// What clap says about wrong options, or its help.
#[derive(Debug)]
pub struct Usage {
    error: Box<clap::Error>,
    /// The file that some of the options came from.
    file: Option<PathBuf>,
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)?;
        match &self.file {
            Some(file) if self.error.use_stderr() => write!(f, "\nsome options come from {}", file.display()),
            _ => Ok(()),
        }
    }
}

impl SettingsError {
    /// The exit code: 0 for `--help` and `--version`, 64 (`EX_USAGE` of sysexits.h) for anything wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(usage) if !usage.error.use_stderr() => 0,
            _ => 64,
        }
    }

    /// Prints help to the standard output, and anything wrong to the standard error.
    pub fn report(&self) {
        use std::io::Write as _;
        // Where even this cannot be written, nobody is left to tell.
        let _ = match self {
            Self::Usage(usage) => {
                let printed = usage.error.print();
                match &usage.file {
                    Some(file) if usage.error.use_stderr() => {
                        writeln!(io::stderr(), "some options come from {}", file.display())
                    }
                    _ => printed,
                }
            }
            error => writeln!(io::stderr(), "error: {error}"),
        };
    }
}

/// The settings of a program, from its arguments (the program's name first), the environment and the settings file.
///
/// The file belongs to the innermost subcommand that was named, if that has the option `--config`. One file may serve
/// all subcommands: keys that are options of another one are passed over. An option must not be tied to another by
/// clap's `requires`: the other may stand in the file.
///
/// # Errors
/// [`SettingsError`], to be reported with [`SettingsError::report`] and to exit with [`SettingsError::exit_code`].
pub fn parse<T: Parser>(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Result<T, SettingsError> {
    let mut argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    let usage = |error: clap::Error, file: Option<&Path>| {
        SettingsError::Usage(Usage { error: Box::new(error), file: file.map(Path::to_owned) })
    };
    let command = optional(T::command());
    let matches = match command.clone().try_get_matches_from(&argv) {
        Ok(matches) => matches,
        // No file can mend a missing subcommand, and help tells what is required: the real command says both best.
        Err(error) if error.kind() == ErrorKind::MissingSubcommand || !error.use_stderr() => {
            return T::try_parse_from(&argv).map_err(|error| usage(error, None));
        }
        Err(error) => return Err(usage(error, None)),
    };
    let program = &command;
    let (command, matches) = innermost(program, &matches);
    let mut file = None;
    if command.get_arguments().any(|arg| arg.get_id() == CONFIG) {
        file = matches.get_one::<PathBuf>(CONFIG).cloned();
    }
    if let Some(file) = &file {
        let more = arguments(program, command, matches, file)?;
        // What follows a bare `--` is positional: options go before it.
        let end = argv.iter().position(|argument| argument == "--").unwrap_or(argv.len());
        argv.splice(end..end, more);
    }
    T::try_parse_from(&argv).map_err(|error| usage(error, file.as_deref()))
}

/// The command with nothing required, to learn what was given.
fn optional(command: Command) -> Command {
    command.mut_args(|arg| arg.required(false)).mut_subcommands(optional)
}

/// The innermost subcommand that was named, with what was given to it.
fn innermost<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let named = matches.subcommand().and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner)));
    named.map_or((command, matches), |(command, matches)| innermost(command, matches))
}

/// What a file can say to a command: its options by their long names.
fn options(command: &Command) -> impl Iterator<Item = (&str, &clap::Arg)> {
    command
        .get_arguments()
        .filter(|arg| arg.get_id() != CONFIG && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version))
        .filter_map(|arg| Some((arg.get_long()?, arg)))
}

/// Whether the command or one below it has an option of this name.
fn knows(command: &Command, long: &str) -> bool {
    options(command).any(|(name, _)| name == long) || command.get_subcommands().any(|command| knows(command, long))
}

/// The file's values, as arguments, without those that were given elsewhere or that are for another command.
fn arguments(
    program: &Command,
    command: &Command,
    matches: &ArgMatches,
    file: &Path,
) -> Result<Vec<OsString>, SettingsError> {
    let own: BTreeMap<&str, &clap::Arg> = options(command).collect();
    let mut left = own.clone();
    let mut arguments = Vec::new();
    for (key, value) in read(file)? {
        let long = key.replace('_', "-");
        let Some(option) = left.remove(long.as_str()) else {
            if !own.contains_key(long.as_str()) && knows(program, &long) {
                continue;
            }
            return Err(SettingsError::UnknownKey { file: file.to_owned(), key: key.as_str().into() });
        };
        let given = matches.value_source(option.get_id().as_str());
        let values = texts(&key, option, value, file)?;
        if !matches!(given, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            arguments.extend(values);
        }
    }
    Ok(arguments)
}

fn read(file: &Path) -> Result<toml::Table, SettingsError> {
    let failed = |error| SettingsError::File { file: file.to_owned(), error };
    if fs::metadata(file).map_err(failed)?.len() > FILE {
        return Err(SettingsError::TooLong { file: file.to_owned() });
    }
    let text = fs::read_to_string(file).map_err(failed)?;
    text.parse().map_err(|error: toml::de::Error| SettingsError::NotToml {
        file: file.to_owned(),
        message: error.message().into(),
    })
}

/// One option's value as arguments: `--key=value`, repeated for a list; `--key` for a flag that is on.
fn texts(key: &str, option: &clap::Arg, value: Value, file: &Path) -> Result<Vec<OsString>, SettingsError> {
    let wrong = |expected| SettingsError::WrongType { file: file.to_owned(), key: key.into(), expected };
    let long = option.get_long().unwrap_or(key);
    let one = |value: Value| match value {
        Value::String(text) => Ok(format!("--{long}={text}").into()),
        Value::Integer(number) => Ok(format!("--{long}={number}").into()),
        Value::Float(number) => Ok(format!("--{long}={number}").into()),
        Value::Boolean(on) => Ok(format!("--{long}={on}").into()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => Err(wrong("a string or a number")),
    };
    match (option.get_action(), value) {
        (ArgAction::SetTrue | ArgAction::SetFalse, Value::Boolean(on)) => {
            Ok(on.then(|| format!("--{long}").into()).into_iter().collect())
        }
        (ArgAction::SetTrue | ArgAction::SetFalse, _) => Err(wrong("true or false")),
        (ArgAction::Append, Value::Array(values)) => values.into_iter().map(one).collect(),
        (_, value) => one(value).map(|argument| vec![argument]),
    }
}
