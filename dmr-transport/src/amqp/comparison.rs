//! One queue against the policy it needs.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::finding::{Finding, Severity, Topic};
use super::management::{Queue, VhostPolicy};
use super::policy::{Policy, Rule, Setting, Shipped, quoted};

/// What is wrong with a queue's settings. Nothing for a queue that needs no policy, or whose settings are not known yet.
pub(super) fn compare(queue: &Queue, vhost: &str, operators: &[VhostPolicy]) -> Vec<Finding> {
    let Some(policy) = Policy::for_queue(&queue.name) else { return Vec::new() };
    if &*queue.kind != "quorum" {
        return vec![not_quorum(queue)];
    }
    let Some(effective) = &queue.effective else { return Vec::new() };
    let operator = operators.iter().find(|operator| queue.operator_policy.as_deref() == Some(&*operator.name));
    let looked = Looked { queue, policy, vhost, effective, operator };
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
        .mend(format!(
            "empty it, rabbitmqctl delete_queue {}, and restart a server, which declares it again",
            queue.name
        ))
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
    Operator,
    Argument,
}

struct Looked<'a> {
    queue: &'a Queue,
    policy: &'static Policy,
    vhost: &'a str,
    effective: &'a Map<String, Value>,
    operator: Option<&'a VhostPolicy>,
}

impl Looked<'_> {
    fn at(&self, setting: &Setting) -> Option<Finding> {
        let found = self.value(setting.key);
        let (value, source) = found.map_or((None, Source::Policy), |(value, source)| (Some(value), source));
        let severity = verdict(setting, value)?;
        let (found, needed) = (shown(value), setting.value.to_json());
        let problem = format!("{} is {found}{} instead of {needed}", setting.key, self.by(source));
        let finding = Finding::new(severity, Topic::Setting, &self.queue.name, problem);
        Some(match (severity, setting.rule) {
            (Severity::Note, Rule::AtLeast { .. } | Rule::Bounded { .. }) => finding,
            (Severity::Note, _) => finding.so(setting.otherwise),
            (_, Rule::AtLeast { then, .. } | Rule::Bounded { then, .. }) if value.is_some_and(Value::is_u64) => {
                finding.so(then).mend(self.remedy(source))
            }
            _ => finding.so(setting.otherwise).mend(self.remedy(source)),
        })
    }

    /// The value that counts. Of an argument and a policy the smaller number counts, and otherwise the argument.
    fn value(&self, key: &str) -> Option<(&Value, Source)> {
        let by_argument = self.queue.arguments.get(&format!("x-{key}")).map(|value| (value, Source::Argument));
        let by_operator = self.operator.and_then(|operator| operator.definition.get(key));
        let by_policy = self.effective.get(key).map(|value| {
            let source = if by_operator == Some(value) { Source::Operator } else { Source::Policy };
            (value, source)
        });
        match (by_policy, by_argument) {
            (Some(policy), Some(argument)) => match (policy.0.as_i64(), argument.0.as_i64()) {
                (Some(one), Some(other)) if one <= other => Some(policy),
                _ => Some(argument),
            },
            (policy, argument) => policy.or(argument),
        }
    }

    /// Whose value it is, where it is not our own policy's.
    fn by(&self, source: Source) -> String {
        match (source, self.queue.policy.as_deref(), self.queue.operator_policy.as_deref()) {
            (Source::Argument, ..) => " (argument of the queue)".into(),
            (Source::Operator, _, Some(name)) => format!(" (operator policy {name})"),
            (_, Some(name), _) if name != self.policy.name => format!(" (policy {name})"),
            (_, Some(_), _) => String::new(),
            (_, None, _) => " (no policy applies)".into(),
        }
    }

    fn remedy(&self, source: Source) -> String {
        let vhost = quoted(self.vhost);
        match (source, self.queue.policy.as_deref(), self.queue.operator_policy.as_deref()) {
            (Source::Argument, ..) => format!(
                "an argument cannot be changed: empty the queue, rabbitmqctl delete_queue --vhost {vhost} {}, and \
                 restart a server, which declares it again",
                self.queue.name
            ),
            (Source::Operator, _, Some(name)) => {
                format!("rabbitmqctl clear_operator_policy --vhost {vhost} {}", quoted(name))
            }
            (_, Some(name), _) if name != self.policy.name => format!(
                "{}\n       and give policy {name} a lower priority, or: rabbitmqctl clear_policy --vhost {vhost} {}",
                self.policy.command(self.vhost),
                quoted(name)
            ),
            _ => self.policy.command(self.vhost),
        }
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
        (Rule::AtLeast { wrong, .. }, Some(number), _) if number < wrong => Severity::Wrong,
        (Rule::AtLeast { .. }, Some(number), Shipped::Number(shipped)) if number < shipped => Severity::Risky,
        (Rule::AtLeast { .. }, Some(_), _) => Severity::Note,
        (Rule::AtLeast { .. }, None, _) => Severity::Wrong,
        (Rule::Bounded { tight, .. }, Some(number), _) if number >= tight => Severity::Note,
        (Rule::Bounded { .. }, ..) => Severity::Risky,
    })
}

fn shown(value: Option<&Value>) -> Cow<'static, str> {
    value.map_or("not set".into(), |value| value.to_string().into())
}
