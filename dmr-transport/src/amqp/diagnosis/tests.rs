//! A broker in good order, one thing spoilt at a time, and what is said of it.

use serde_json::{Map, Value, json};

use super::*;
use crate::amqp::inspection::Report;
use crate::amqp::management::{Binding, Node, QueueFigures};

const MAILBOX: &str = "dmr.a.0192f0a0-0000-7000-8000-000000000001";

/// Something done to a good broker.
type Spoil = fn(&mut Observation);

fn node(name: &str) -> Node {
    Node { name: name.into(), running: true, memory_alarm: false, disk_alarm: false, partitions: Vec::new() }
}

fn queue(name: &str) -> Queue {
    let nodes: Vec<Box<str>> = ["one", "two", "three"].map(Into::into).to_vec();
    let policy = Policy::for_queue(name).unwrap();
    Queue {
        name: name.into(),
        kind: "quorum".into(),
        durable: true,
        arguments: object(json!({"x-queue-type": "quorum"})),
        members: nodes.clone(),
        online: nodes,
        leader: Some("one".into()),
        policy: Some(policy.name.into()),
        operator_policy: None,
        effective: Some(policy.definition_json()),
        figures: Some(QueueFigures {
            state: "running".into(),
            ready: 0,
            unacknowledged: 0,
            dead_lettering: 0,
            bytes: 0,
            consumers: 0,
            publish_rate: 0.0,
            deliver_rate: 0.0,
            ack_rate: 0.0,
        }),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn policy(name: &str, priority: i64, definition: Value) -> VhostPolicy {
    VhostPolicy {
        name: name.into(),
        pattern: ".*".into(),
        apply_to: "all".into(),
        priority,
        definition: object(definition),
    }
}

fn good() -> Observation {
    let exchange = |(name, kind): (&str, &str)| Exchange {
        name: name.into(),
        kind: kind.into(),
        durable: true,
        arguments: object(json!({})),
    };
    let binding = |(source, destination): (&str, &str)| Binding {
        source: source.into(),
        destination: destination.into(),
        routing_key: "".into(),
    };
    let installed = |policy: &Policy| VhostPolicy {
        name: policy.name.into(),
        pattern: policy.pattern.into(),
        apply_to: policy.apply_to.into(),
        priority: PRIORITY,
        definition: policy.definition_json(),
    };
    Observation {
        vhost: "/".into(),
        overview: Overview {
            version: "3.10.8".into(),
            cluster: "relay".into(),
            node: "one".into(),
            statistics: true,
            nodes: ["one", "two", "three"].map(node).to_vec(),
        },
        queues: [MAILBOX, "dmr.dead", "dmr.dead.kept", "dmr.probe"].map(queue).to_vec(),
        exchanges: EXCHANGES.map(exchange).to_vec(),
        bindings: BINDINGS.map(binding).to_vec(),
        policies: Some(POLICIES.iter().map(installed).collect()),
        operator_policies: Some(Vec::new()),
    }
}

/// What is found after this was done to a good broker.
fn after(spoil: impl FnOnce(&mut Observation)) -> Vec<Finding> {
    let mut observation = good();
    spoil(&mut observation);
    diagnose(&observation)
}

/// The one finding after this was done to a good broker.
fn only(spoil: impl FnOnce(&mut Observation)) -> Finding {
    let findings = after(spoil);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().unwrap()
}

fn set(observation: &mut Observation, queue: &str, key: &str, value: Value) {
    let queue = observation.queues.iter_mut().find(|known| &*known.name == queue).unwrap();
    let effective = queue.effective.as_mut().unwrap();
    if value.is_null() {
        effective.remove(key)
    } else {
        effective.insert(key.into(), value)
    };
}

#[test]
fn a_broker_in_good_order_gives_no_reason_to_speak() {
    assert_eq!(diagnose(&good()), []);
    let report = Report::new(good());
    assert!(report.is_fit());
    assert_eq!(
        report.to_string(),
        "RabbitMQ 3.10.8 · cluster relay · 3 of 3 nodes run · virtual host / · 4 queues, 1 of them mailboxes\nfit"
    );
}

#[test]
fn each_value_of_a_setting_is_as_bad_as_what_it_does() {
    use Severity::{Note, Risky, Wrong};
    for (queue, key, value, severity) in [
        (MAILBOX, "dead-letter-exchange", json!(null), Wrong),
        (MAILBOX, "dead-letter-exchange", json!("other"), Wrong),
        (MAILBOX, "dead-letter-strategy", json!(null), Wrong),
        (MAILBOX, "dead-letter-strategy", json!("at-most-once"), Wrong),
        (MAILBOX, "overflow", json!(null), Wrong),
        (MAILBOX, "overflow", json!("drop-head"), Wrong),
        (MAILBOX, "delivery-limit", json!(null), Wrong),
        (MAILBOX, "delivery-limit", json!(-1), Wrong),
        (MAILBOX, "delivery-limit", json!(999), Wrong),
        (MAILBOX, "delivery-limit", json!(1_000), Risky),
        (MAILBOX, "delivery-limit", json!(20_000), Note),
        (MAILBOX, "message-ttl", json!(null), Wrong),
        (MAILBOX, "message-ttl", json!(86_399_999), Wrong),
        (MAILBOX, "message-ttl", json!(172_800_000), Note),
        (MAILBOX, "max-length-bytes", json!(null), Risky),
        (MAILBOX, "max-length-bytes", json!(1_000), Risky),
        (MAILBOX, "max-length-bytes", json!(1_u64 << 40), Note),
        (MAILBOX, "queue-leader-locator", json!(null), Note),
        (MAILBOX, "expires", json!(60_000), Wrong),
        (MAILBOX, "max-length", json!(10), Note),
        ("dmr.dead", "message-ttl", json!(1_000), Wrong),
        ("dmr.dead", "overflow", json!(null), Wrong),
        ("dmr.dead.kept", "overflow", json!("reject-publish"), Wrong),
        ("dmr.dead.kept", "max-length", json!(7), Note),
        ("dmr.probe", "message-ttl", json!(1), Risky),
    ] {
        let finding = only(|observation| set(observation, queue, key, value.clone()));
        assert_eq!((finding.severity, &*finding.subject), (severity, queue), "{key} {value}");
        assert!(finding.problem.starts_with(&format!("{key} is ")), "{finding}");
        assert!(severity == Note || finding.remedy.starts_with("rabbitmqctl set_policy --vhost / "), "{finding}");
    }
}

#[test]
fn the_trap_of_at_least_once_is_named() {
    let finding = only(|observation| set(observation, MAILBOX, "overflow", json!(null)));
    assert!(finding.consequence.ends_with("at-least-once dead-lettering silently becomes at-most-once"));
}

#[test]
fn whoever_sets_a_wrong_value_is_named_and_the_remedy_is_for_them() {
    let foreign = after(|observation| {
        let queue = &mut observation.queues[0];
        queue.policy = Some("it's all".into());
        queue.effective.as_mut().unwrap().remove("overflow");
    });
    assert_eq!(&*foreign[0].problem, r#"overflow is not set (policy it's all) instead of "reject-publish""#);
    assert!(foreign[0].remedy.ends_with(r"or: rabbitmqctl clear_policy --vhost / 'it'\''s all'"));

    let by_operator = after(|observation| {
        set(observation, MAILBOX, "delivery-limit", json!(20));
        observation.queues[0].operator_policy = Some("cap".into());
        observation.operator_policies = Some(vec![policy("cap", 0, json!({"delivery-limit": 20}))]);
    });
    assert_eq!(&*by_operator[0].problem, "delivery-limit is 20 (operator policy cap) instead of 10000");
    assert_eq!(&*by_operator[0].remedy, "rabbitmqctl clear_operator_policy --vhost / cap");
    assert_eq!((by_operator[1].severity, by_operator[1].topic), (Severity::Note, Topic::OperatorPolicy));

    let by_argument = only(|observation| {
        observation.queues[0].arguments.insert("x-overflow".into(), json!("drop-head"));
    });
    assert!(by_argument.problem.contains("(argument of the queue)"));
    let larger = after(|observation| {
        observation.queues[0].arguments.insert("x-delivery-limit".into(), json!(20_000));
    });
    assert_eq!(larger, [], "of an argument and a policy the smaller number counts");
}

#[test]
fn a_mailbox_that_is_no_quorum_queue_is_wrong_whatever_its_policy() {
    let finding = only(|observation| observation.queues[0].kind = "classic".into());
    assert_eq!((finding.severity, finding.topic), (Severity::Wrong, Topic::QueueType));
}

#[test]
fn before_the_first_queue_the_policies_themselves_are_judged() {
    let empty = |observation: &mut Observation| observation.queues.clear();
    assert_eq!(after(empty), []);
    let missing = only(|observation| {
        empty(observation);
        observation.policies.as_mut().unwrap().remove(0);
    });
    assert_eq!((missing.severity, missing.topic), (Severity::Wrong, Topic::PolicyMissing));
    let spoilt = only(|observation| {
        empty(observation);
        observation.policies.as_mut().unwrap()[0].definition.remove("overflow");
    });
    assert_eq!((spoilt.severity, &*spoilt.problem), (Severity::Wrong, "overflow is not set"));
    let shadowed = after(|observation| {
        empty(observation);
        observation.policies.as_mut().unwrap().push(policy("all", 11, json!({})));
    });
    assert!(shadowed.iter().all(|finding| (finding.severity, finding.topic) == (Severity::Risky, Topic::Shadowed)));
    let below = after(|observation| observation.policies.as_mut().unwrap().push(policy("all", 0, json!({}))));
    assert_eq!(below, []);
}

#[test]
fn a_version_is_refused_noted_or_certified() {
    for (version, severity) in [
        ("3.9.29", Some(Severity::Wrong)),
        ("3.10.0", None),
        ("3.13.7", Some(Severity::Note)),
        ("4.2.1", Some(Severity::Note)),
        ("4.3.0-rc.1", Some(Severity::Note)),
        ("?", Some(Severity::Risky)),
    ] {
        let findings = after(|observation| observation.overview.version = version.into());
        assert_eq!(findings.first().map(|finding| finding.severity), severity, "{version}");
    }
}

#[test]
fn what_is_wrong_with_the_cluster_is_said() {
    use Severity::{Note, Risky, Wrong};
    let spoilt: [(Spoil, Severity, Topic); 10] = [
        (|seen| seen.overview.nodes[1].running = false, Risky, Topic::Node),
        (|seen| seen.overview.nodes[1].memory_alarm = true, Risky, Topic::Alarm),
        (|seen| seen.overview.nodes[1].disk_alarm = true, Risky, Topic::Alarm),
        (|seen| seen.overview.nodes[1].partitions.push("one".into()), Wrong, Topic::Node),
        (|seen| seen.overview.nodes.push(node("four")), Note, Topic::ClusterSize),
        (|seen| seen.queues[0].members.truncate(1), Risky, Topic::Replicas),
        (|seen| seen.queues[0].online.truncate(1), Risky, Topic::Replicas),
        (|seen| seen.queues[0].figures.as_mut().unwrap().state = "minority".into(), Risky, Topic::QueueDown),
        (|seen| seen.queues[0].figures.as_mut().unwrap().dead_lettering = 1, Risky, Topic::DeadLettersWaiting),
        (|seen| seen.overview.statistics = false, Risky, Topic::Unseen),
    ];
    for (spoil, severity, topic) in spoilt {
        let finding = only(spoil);
        assert_eq!((finding.severity, finding.topic), (severity, topic));
    }
}

#[test]
fn exchanges_must_be_what_they_are_called_for() {
    use Severity::{Note, Risky, Wrong};
    let spoilt: [(Spoil, Severity); 5] = [
        (|seen| drop(seen.exchanges.remove(0)), Note),
        (|seen| seen.exchanges[1].kind = "topic".into(), Wrong),
        (|seen| seen.exchanges[2].durable = false, Wrong),
        (|seen| seen.exchanges[0].arguments = object(json!({ "alternate-exchange": "other" })), Wrong),
        (|seen| drop(seen.bindings.remove(1)), Risky),
    ];
    for (spoil, severity) in spoilt {
        let finding = only(spoil);
        assert_eq!((finding.severity, finding.topic), (severity, Topic::Exchange));
    }
}

#[test]
fn what_cannot_be_seen_is_not_taken_for_good() {
    let new = only(|observation| observation.queues[0].effective = None);
    assert_eq!((new.severity, new.topic, &*new.remedy), (Severity::Note, Topic::Unseen, "ask again in 10 s"));
    let hidden = only(|observation| observation.policies = None);
    assert_eq!((hidden.severity, hidden.topic), (Severity::Note, Topic::Unseen));
}

#[test]
fn a_report_says_once_what_mends_several_things_and_says_it_in_json_too() {
    let mut observation = good();
    set(&mut observation, MAILBOX, "overflow", json!(null));
    set(&mut observation, MAILBOX, "dead-letter-exchange", json!(null));
    let report = Report::new(observation);
    assert_eq!(report.to_string().matches("to mend it: rabbitmqctl set_policy").count(), 1);
    assert!(report.to_string().ends_with("\nnot fit: confirmed messages could be lost"));
    let json = report.to_json();
    assert_eq!((&json["fit"], &json["version"], &json["mailboxes"]), (&json!(false), &json!("3.10.8"), &json!(1)));
    assert_eq!(json["findings"][0]["severity"], "wrong");
    assert_eq!(json["findings"][0]["topic"], "setting");
}
