//! What the demo prints: sections, lines and quotes, in colour where a terminal shows it.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use dmr_tests::failure::{Doing as _, Outcome};

/// Standard output, written to line by line so that everything appears when it happens.
#[derive(Debug)]
pub struct Screen {
    colour: bool,
}

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bold,
    Dim,
    Green,
    Red,
}

/// Widest line of a quote, in characters.
const WIDTH: usize = 92;
/// Most lines of a quote.
const LINES: usize = 12;

impl Default for Screen {
    /// Coloured when standard output is a terminal and `NO_COLOR` is not set.
    fn default() -> Self {
        Self { colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }
}

impl Screen {
    /// A heading.
    ///
    /// # Errors
    /// [`Failure`](dmr_tests::failure::Failure) when standard output is closed; so for everything here.
    pub fn title(&self, text: impl Display) -> Outcome {
        self.write(format_args!("\n{}\n", self.styled(Style::Bold, text)))
    }

    /// A line of its own.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn line(&self, text: impl Display) -> Outcome {
        self.write(format_args!("  {text}\n"))
    }

    /// A line that explains.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn note(&self, text: impl Display) -> Outcome {
        self.line(self.styled(Style::Dim, text))
    }

    /// A command as one would type it.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn command(&self, text: impl Display) -> Outcome {
        self.line(format_args!("{} {text}", self.styled(Style::Dim, "$")))
    }

    /// A name and its value, in two columns.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn field(&self, name: &str, value: impl Display) -> Outcome {
        self.line(format_args!("{} {value}", self.styled(Style::Dim, format_args!("{name:<18}"))))
    }

    /// What somebody said, after a bar at the left; the beginning of it where it is long.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn quote(&self, who: &str, text: &str) -> Outcome {
        self.line(self.styled(Style::Bold, who))?;
        let (mut lines, bar) = (wrapped(text), self.styled(Style::Green, "│"));
        let more = lines.split_off(lines.len().min(LINES));
        lines.iter().try_for_each(|line| self.line(format_args!("{bar} {line}")))?;
        if more.is_empty() { Ok(()) } else { self.line(format_args!("{bar} … and {} lines more", more.len())) }
    }

    /// Something that held.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn good(&self, text: impl Display) -> Outcome {
        self.line(format_args!("{} {text}", self.styled(Style::Green, "✓")))
    }

    /// Something that was refused.
    ///
    /// # Errors
    /// As for [`title`](Self::title).
    pub fn refused(&self, text: impl Display) -> Outcome {
        self.line(format_args!("{} {text}", self.styled(Style::Red, "✗")))
    }

    fn styled(&self, style: Style, text: impl Display) -> String {
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Green => 32,
            Style::Red => 31,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    fn write(&self, text: impl Display) -> Outcome {
        let mut out = io::stdout().lock();
        write!(out, "{text}").and_then(|()| out.flush()).doing("writing to standard output")
    }
}

/// The text in lines of at most [`WIDTH`] characters, broken between words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_between_words_and_loses_none() {
        let text = "word ".repeat(60);
        let lines = wrapped(&text);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(lines.join(" "), text.trim());
        assert_eq!(wrapped(&"x".repeat(200)).len(), 1);
    }
}
