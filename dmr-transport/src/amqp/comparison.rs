//! One queue against the policy it needs.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::finding::{Finding, Severity, Topic};
use super::management::Queue;
use super::policy::{Policy, Rule, Setting, Shipped, quoted};

/// What is wrong with a queue's settings. Nothing for a queue that needs no policy, or whose settings are not known yet.
pub(super) fn compare(queue: &Queue, vhost: &str) -> Vec<Finding> {
    let Some(policy) = Policy::for_queue(&queue.name) else { return Vec::new() };
    if &*queue.kind != "quorum" {
        return vec![not_quorum(queue)];
    }
    let Some(effective) = &queue.effective else { return Vec::new() };
    let looked = Looked { queue, policy, vhost, effective };
    let settings = policy.definition.iter().filter_map(|setting| looked.at(setting));
    let harmful = policy.harmful.iter().filter_map(|harmful| {
        let (value, source) = looked.value(harmful.key)?;
        let problem = format!("{} is {value}{}, and should not be set", harmful.key, looked.by(source));
        Some(
            Finding::new(harmful.severity, Topic::HarmfulSetting, &queue.name, problem)
                .so(harmful.otherwise)
                .mend(looked.remedy(source)),
        )
    });
    settings.chain(harmful).collect()
}

fn not_quorum(queue: &Queue) -> Finding {
    Finding::new(Severity::Wrong, Topic::QueueType, &queue.name, format!("it is a {} queue", queue.kind))
        .so("what it holds is on one node only and its settings mean something else")
        .mend("empty it, delete it with 'rabbitmqctl delete_queue', and let a server declare it again")
}

/// What a policy's definition lacks by itself, before any queue has it: a policy that exists, a queue that does not.
pub(super) fn compare_definition(policy: &Policy, definition: &Map<String, Value>) -> Option<(Severity, String)> {
    let settings = policy.definition.iter().filter_map(|setting| {
        let severity = verdict(setting, definition.get(setting.key))?;
        Some((severity, format!("{} is {}", setting.key, shown(definition.get(setting.key)))))
    });
    let harmful = policy.harmful.iter().filter_map(|harmful| {
        definition.get(harmful.key).map(|value| (harmful.severity, format!("{} is {value}", harmful.key)))
    });
    settings.chain(harmful).max_by_key(|(severity, _)| *severity)
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Policy,
    Argument,
}

struct Looked<'a> {
    queue: &'a Queue,
    policy: &'static Policy,
    vhost: &'a str,
    effective: &'a Map<String, Value>,
}

impl Looked<'_> {
    fn at(&self, setting: &Setting) -> Option<Finding> {
        let found = self.value(setting.key);
        let (value, source) = found.map_or((None, Source::Policy), |(value, source)| (Some(value), source));
        let severity = verdict(setting, value)?;
        let problem =
            format!("{} is {}{} instead of {}", setting.key, shown(value), self.by(source), setting.value.to_json());
        let finding = Finding::new(severity, Topic::Setting, &self.queue.name, problem);
        Some(match severity {
            Severity::Note if !matches!(setting.rule, Rule::Preferred) => finding,
            Severity::Note => finding.so(setting.otherwise),
            _ => finding.so(setting.otherwise).mend(self.remedy(source)),
        })
    }

    /// The value that counts. Of an argument and a policy the smaller number counts, and otherwise the argument.
    fn value(&self, key: &str) -> Option<(&Value, Source)> {
        let (by_policy, by_argument) = (self.effective.get(key), self.queue.arguments.get(&format!("x-{key}")));
        match (by_policy, by_argument) {
            (Some(policy), Some(argument)) => match (policy.as_i64(), argument.as_i64()) {
                (Some(one), Some(other)) if one <= other => Some((policy, Source::Policy)),
                _ => Some((argument, Source::Argument)),
            },
            (Some(policy), None) => Some((policy, Source::Policy)),
            (None, argument) => argument.map(|argument| (argument, Source::Argument)),
        }
    }

    /// Whose value it is, where it is not our own policy's.
    fn by(&self, source: Source) -> Cow<'static, str> {
        let operator = self.queue.operator_policy.as_deref().map(|name| format!(" (operator policy {name})"));
        match (source, self.queue.policy.as_deref()) {
            (Source::Argument, _) => " (argument of the queue)".into(),
            (Source::Policy, Some(name)) if name != self.policy.name => {
                format!(" (policy {name}{})", operator.unwrap_or_default()).into()
            }
            (Source::Policy, None) if operator.is_none() => " (no policy applies)".into(),
            _ => operator.unwrap_or_default().into(),
        }
    }

    fn remedy(&self, source: Source) -> String {
        if source == Source::Argument {
            return "arguments cannot be changed: empty the queue, delete it with 'rabbitmqctl delete_queue', and let a \
                    server declare it again"
                .into();
        }
        let mut remedy = self.policy.command(self.vhost);
        let vhost = quoted(self.vhost);
        // Writing to a string does not fail.
        if let Some(other) = self.queue.policy.as_deref().filter(|name| *name != self.policy.name) {
            let _ = write!(
                remedy,
                "\n       and give policy {other} a lower priority, or: rabbitmqctl clear_policy --vhost {vhost} {}",
                quoted(other)
            );
        }
        if let Some(operator) = self.queue.operator_policy.as_deref() {
            let _ = write!(
                remedy,
                "\n       and, if operator policy {operator} is what does it: rabbitmqctl clear_operator_policy --vhost \
                 {vhost} {}",
                quoted(operator)
            );
        }
        remedy
    }
}

/// How bad a value is in the place of a setting; nothing where it is the shipped one.
fn verdict(setting: &Setting, value: Option<&Value>) -> Option<Severity> {
    let shipped = setting.value;
    if value == Some(&shipped.to_json()) {
        return None;
    }
    let number = value.and_then(Value::as_u64);
    Some(match (setting.rule, number, shipped) {
        (Rule::Exactly, ..) => Severity::Wrong,
        (Rule::Preferred, ..) => Severity::Note,
        (Rule::AtLeast { wrong }, Some(number), _) if number < wrong => Severity::Wrong,
        (Rule::AtLeast { .. }, Some(number), Shipped::Number(shipped)) if number < shipped => Severity::Risky,
        (Rule::AtLeast { .. }, Some(_), _) => Severity::Note,
        (Rule::AtLeast { .. }, None, _) => Severity::Wrong,
        (Rule::Bounded { tight }, Some(number), _) if number >= tight => Severity::Note,
        (Rule::Bounded { .. }, ..) => Severity::Risky,
    })
}

fn shown(value: Option<&Value>) -> Cow<'static, str> {
    value.map_or("not set".into(), |value| value.to_string().into())
}
