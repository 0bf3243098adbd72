//! The Police's chatbot: reads a question and answers it from what it says.
//!
//! It stands for a service that an institution already has. All it knows of DMR is the JSON of the webhook.

use serde_json::{Value, json};

/// Reports, and how they stand. Made up.
const REGISTER: [(&str, &str); 3] = [
    ("2026-00417", "the vehicle is recorded as stolen since 14 November 2026 and is being searched for"),
    ("2026-00398", "the vehicle was found on 19 November 2026 and handed back to its owner; the case is closed"),
    ("2026-00402", "a bicycle is recorded as stolen since 3 November 2026"),
];

/// What the chatbot says about a subject, by words that name it. The first subject that fits counts.
const SUBJECTS: [(&[&str], &str); 3] = [
    (
        &["passport", "identity card", "document"],
        "A lost document is reported by phone at any hour, or at an embassy when abroad. It is cancelled within minutes, \
         and a temporary login can be issued the same day.",
    ),
    (&["fine", "speeding"], "A fine can be looked up and paid with the number of its notice. Please send that number."),
    (&["hours", "appointment"], "Service points are open from Monday to Friday, 9 to 17."),
];

/// What the last message of a `ChatMessage` payload says.
pub fn last_words(payload: &Value) -> Option<&str> {
    let messages = payload.get("messages")?.as_array()?;
    messages.iter().rev().find_map(|message| message.get("content")?.as_str())
}

/// The answer to a delivery of the webhook, as a `ChatMessage` payload in the same chat; `None` where no words are.
pub fn answer(delivery: &Value) -> Option<Value> {
    let payload = delivery.get("payload")?;
    let (words, chat) = (last_words(payload)?, payload.get("chat")?);
    Some(json!({
        "chat": chat,
        "messages": [{
            // Derived, not drawn: delivered again, the question gets the same answer.
            "id": format!("answer-to-{}", delivery.get("id").and_then(Value::as_str).unwrap_or_default()),
            "chatId": chat.get("id")?,
            "authorTimestamp": delivery.get("timestamp")?,
            "authorRole": "chatbot",
            "content": reply(words),
        }],
    }))
}

/// What the chatbot says to these words.
pub fn reply(words: &str) -> String {
    if let Some(number) = report_number(words) {
        return match REGISTER.iter().find(|(known, _)| *known == number) {
            Some((_, state)) => format!("Report {number}: {state}."),
            None => format!("There is no report {number} in our register. Please check the number."),
        };
    }
    let lower = words.to_lowercase();
    match SUBJECTS.iter().find(|(names, _)| names.iter().any(|name| lower.contains(name))) {
        Some((_, text)) => (*text).to_owned(),
        None => format!("We read {:?} and know no answer. Please name the number of a report.", words.trim()),
    }
}

/// The first number of the form `2026-00417` in the words: four digits, a hyphen, five digits.
fn report_number(words: &str) -> Option<&str> {
    words.split(|end: char| !end.is_ascii_digit() && end != '-').find(|part| {
        let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        part.split_once('-').is_some_and(|(year, number)| digits(year, 4) && digits(number, 5))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_by_its_number_wherever_it_stands() {
        assert_eq!(report_number("Is report 2026-00417, the car, known?"), Some("2026-00417"));
        assert_eq!(report_number("(2026-00398)"), Some("2026-00398"));
        assert_eq!(report_number("on 2026-11-21 at 12345-6789"), None);
    }

    #[test]
    fn different_questions_get_different_answers() {
        let questions =
            ["Report 2026-00417?", "Report 2026-00398?", "Report 2026-31415?", "My passport!", "Hello", "Bye"];
        let mut answers = questions.map(reply);
        answers.sort();
        assert!(answers.windows(2).all(|pair| pair[0] != pair[1]), "{answers:?}");
    }

    #[test]
    fn an_answer_belongs_to_the_chat_it_answers_and_is_the_same_each_time() {
        let payload =
            json!({"chat": {"id": "c", "created": "x"}, "messages": [{"content": "Hi"}, {"event": "typing"}]});
        let delivery = json!({"id": "q", "timestamp": "t", "payload": payload});
        let first = answer(&delivery).unwrap();
        assert_eq!((&first["chat"]["id"], &first["messages"][0]["chatId"]), (&json!("c"), &json!("c")));
        assert_eq!(answer(&delivery), Some(first));
        assert_eq!(answer(&json!({"payload": {"chat": {"id": "c"}, "messages": []}})), None);
    }
}
