//! The question: a file that holds what an institution posts to its agent.

use std::path::{Path, PathBuf};

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::programs::workspace;
use serde_json::{Value, json};

use crate::police::last_words;

/// A chat question as the agent's HTTP API takes it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The file it was read from, as given.
    pub file: PathBuf,
    /// The body for `POST /v1/questions`.
    pub body: Value,
    /// What the last message of the chat says.
    pub text: String,
}

impl Question {
    /// The file that is asked when none is given.
    pub fn default_file() -> PathBuf {
        workspace().join("examples/questions/stolen-car.json")
    }

    /// The question in `file`: a whole request body as in `examples/questions`, or only its `payload`.
    ///
    /// # Errors
    /// [`Failure`] when it is not JSON, or holds no message with a text.
    pub fn read(file: &Path) -> Outcome<Self> {
        let name = file.display();
        let bytes = std::fs::read(file).doing(&name)?;
        let mut body: Value = serde_json::from_slice(&bytes).doing(&name)?;
        if body.get("payload").is_none() {
            body = json!({ "timestamp": jiff::Timestamp::now().to_string(), "type": "ChatMessage", "payload": body });
        }
        let Some(text) = body.get("payload").and_then(last_words).map(str::to_owned) else {
            return Err(Failure::new(format!("{name}: no message with a text in payload.messages[].content")));
        };
        // In this network there is one to ask.
        if let Some(body) = body.as_object_mut() {
            body.insert("recipientId".into(), "police".into());
        }
        Ok(Self { file: file.to_owned(), body, text })
    }

    /// The file, from the top of the repository where it is in there.
    pub fn shown_file(&self) -> &Path {
        self.file.strip_prefix(workspace()).unwrap_or(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_that_comes_with_the_demo_can_be_read() {
        let mut files = std::fs::read_dir(workspace().join("examples/questions")).unwrap();
        assert!(files.by_ref().count() >= 3);
        for file in std::fs::read_dir(workspace().join("examples/questions")).unwrap() {
            let question = Question::read(&file.unwrap().path()).unwrap();
            assert!(question.text.len() > 20 && question.body["recipientId"] == "police");
        }
    }

    #[test]
    fn a_bare_payload_becomes_a_question_and_one_without_text_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"chat": {}, "messages": [{"content": "Hello?"}, {"event": "greeting"}]}"#)
            .unwrap();
        let question = Question::read(file.path()).unwrap();
        assert_eq!((question.text.as_str(), &question.body["type"]), ("Hello?", &json!("ChatMessage")));
        std::fs::write(file.path(), r#"{"chat": {}, "messages": []}"#).unwrap();
        assert!(Question::read(file.path()).is_err());
    }
}
