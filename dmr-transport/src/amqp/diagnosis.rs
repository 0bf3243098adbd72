//! From an observation of a broker to findings.

use super::comparison::{compare, compare_definition};
use super::finding::{Finding, Severity, Topic, gathered};
use super::inspection::Observation;
use super::management::{Exchange, Overview, Queue, VhostPolicy};
use super::policy::{POLICIES, PRIORITY, Policy, quoted};

/// The oldest version that has what is needed: message TTL and at-least-once dead-lettering on quorum queues.
const OLDEST: (u64, u64) = (3, 10);
/// The versions on which the whole suite has run.
const CERTIFIED: [(u64, u64); 1] = [(3, 10)];

/// Name and type of each exchange.
const EXCHANGES: [(&str, &str); 3] = [("dmr.v1", "direct"), ("dmr.dlx", "fanout"), ("dmr.ctl", "fanout")];
/// Exchange and queue that must be bound.
const BINDINGS: [(&str, &str); 4] =
    [("dmr.dlx", "dmr.dead"), ("dmr.dlx", "dmr.dead.kept"), ("dmr.v1", "dmr.probe"), ("dmr.v1", "dmr.store")];

/// Everything worth saying, the worst first.
pub(super) fn diagnose(observation: &Observation) -> Vec<Finding> {
    let mut findings = Vec::new();
    version(&observation.overview.version, &mut findings);
    nodes(&observation.overview, &mut findings);
    let operators_seen = observation.operator_policies.as_deref().unwrap_or_default();
    for queue in &observation.queues {
        findings.extend(compare(queue, &observation.vhost, operators_seen));
        state(queue, observation, &mut findings);
    }
    exchanges(observation, &mut findings);
    for policy in &POLICIES {
        installed(policy, observation, &mut findings);
    }
    operators(observation, &mut findings);
    unseen(observation, &mut findings);
    gathered(findings)
}

fn version(version: &str, findings: &mut Vec<Finding>) {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().ok());
    let Some((major, minor)) = parts.next().flatten().zip(parts.next().flatten()) else {
        let problem = format!("its version is {version}, which is no version of RabbitMQ");
        findings.push(Finding::new(Severity::Risky, Topic::Version, "broker", problem));
        return;
    };
    if (major, minor) < OLDEST {
        findings.push(
            Finding::new(Severity::Wrong, Topic::Version, "broker", format!("it is RabbitMQ {version}"))
                .so("quorum queues have neither message TTL nor at-least-once dead-lettering")
                .mend("upgrade to RabbitMQ 3.10 or later"),
        );
    } else if !CERTIFIED.contains(&(major, minor)) {
        let problem = format!("RabbitMQ {major}.{minor} is not among the versions that the whole suite has run on");
        findings.push(Finding::new(Severity::Note, Topic::Version, "broker", problem));
    }
}

fn nodes(overview: &Overview, findings: &mut Vec<Finding>) {
    for node in &overview.nodes {
        if !node.running {
            findings.push(
                Finding::new(Severity::Risky, Topic::Node, &node.name, "the node is down")
                    .so("one more may stop the cluster")
                    .mend("start it, or remove it for good with 'rabbitmqctl forget_cluster_node'"),
            );
        }
        for (alarm, what) in [(node.memory_alarm, "memory"), (node.disk_alarm, "free disk space")] {
            if alarm {
                findings.push(
                    Finding::new(
                        Severity::Risky,
                        Topic::Alarm,
                        &node.name,
                        format!("there is an alarm over its {what}"),
                    )
                    .so("the whole cluster accepts no message")
                    .mend("let consumers drain the queues, or give the node more of it"),
                );
            }
        }
        if !node.partitions.is_empty() {
            let problem = format!("it lost sight of {}", node.partitions.join(", "));
            findings.push(
                Finding::new(Severity::Wrong, Topic::Node, &node.name, problem)
                    .so("the sides of the partition know different exchanges, bindings and policies")
                    .mend("restart the nodes of the smaller side, and set cluster_partition_handling = pause_minority"),
            );
        }
    }
    match overview.nodes.len() {
        1 => findings.push(
            Finding::new(Severity::Note, Topic::ClusterSize, "broker", "it is a single node")
                .so("messages wait at their senders while it is down, and are gone if its disk is"),
        ),
        even if even % 2 == 0 => findings.push(
            Finding::new(Severity::Note, Topic::ClusterSize, "broker", format!("it has {even} nodes, an even number"))
                .so(format!("it survives the loss of no more of them than {} nodes would", even.saturating_sub(1))),
        ),
        _ => {}
    }
}

fn state(queue: &Queue, observation: &Observation, findings: &mut Vec<Finding>) {
    let nodes = observation.overview.nodes.len();
    let (members, online) = (queue.members.len(), queue.online.len());
    if &*queue.kind == "quorum" && members > 0 && members < nodes.min(3) {
        findings.push(
            Finding::new(Severity::Risky, Topic::Replicas, &queue.name, format!("it has {members} of {nodes} copies"))
                .so("it stops when the nodes that hold them do")
                .mend(r"on each node that lacks one: rabbitmq-queues grow NODE all --queue-pattern '^dmr\.'"),
        );
    }
    if &*queue.kind == "quorum" && online < members {
        let problem = format!("{online} of its {members} copies are up");
        findings.push(
            Finding::new(Severity::Risky, Topic::Replicas, &queue.name, problem)
                .so(if online * 2 > members { "it may stop when another node does" } else { "it has stopped" })
                .mend("start the nodes that are down"),
        );
    }
    let Some(figures) = &queue.figures else { return };
    if !["running", "idle", "flow", ""].contains(&&*figures.state) {
        findings.push(
            Finding::new(Severity::Risky, Topic::QueueDown, &queue.name, format!("its state is {}", figures.state))
                .so("nothing enters or leaves it")
                .mend("start the nodes that are down"),
        );
    }
    if figures.dead_lettering > 0 {
        findings.push(
            Finding::new(
                Severity::Risky,
                Topic::DeadLettersWaiting,
                &queue.name,
                "it holds dead messages that could not leave",
            )
            .so("they count against its bound and their senders do not know yet")
            .mend("look whether dmr.dead is full or missing; it passes by itself when servers consume dmr.dead"),
        );
    }
}

fn exchanges(observation: &Observation, findings: &mut Vec<Finding>) {
    for (name, kind) in EXCHANGES {
        let Some(exchange) = observation.exchanges.iter().find(|exchange| &*exchange.name == name) else {
            let problem = "there is no such exchange yet; the first server declares it";
            findings.push(Finding::new(Severity::Note, Topic::Exchange, name, problem));
            continue;
        };
        if let Some((problem, so)) = misdeclared(exchange, kind) {
            findings.push(Finding::new(Severity::Wrong, Topic::Exchange, name, problem).so(so).mend(format!(
                "stop the servers, delete it (rabbitmqadmin --vhost {} delete exchange name={name}), and let a \
                     server declare it again",
                quoted(&observation.vhost)
            )));
        }
    }
    for (source, destination) in BINDINGS {
        let both = observation.exchanges.iter().any(|exchange| &*exchange.name == source)
            && observation.queues.iter().any(|queue| &*queue.name == destination);
        let bound = observation
            .bindings
            .iter()
            .any(|binding| &*binding.source == source && &*binding.destination == destination);
        if both && !bound {
            findings.push(
                Finding::new(
                    Severity::Risky,
                    Topic::Exchange,
                    source,
                    format!("it is not bound to queue {destination}"),
                )
                .so("what it is given does not arrive there")
                .mend("restart a server: each binds it at start"),
            );
        }
    }
}

fn misdeclared(exchange: &Exchange, kind: &str) -> Option<(String, &'static str)> {
    let alternate = exchange.arguments.get("alternate-exchange").and_then(serde_json::Value::as_str);
    if &*exchange.kind != kind {
        Some((format!("its type is {} instead of {kind}", exchange.kind), "no server can use it"))
    } else if !exchange.durable {
        Some(("it is not durable".into(), "it is gone after a restart of the broker"))
    } else {
        let so = "a message to a missing mailbox looks as if it were stored";
        alternate.map(|alternate| (format!("it has the alternate-exchange {alternate}"), so))
    }
}

/// What can be said about a policy before, and beyond, the queues that it applies to.
fn installed(policy: &'static Policy, observation: &Observation, findings: &mut Vec<Finding>) {
    let Some(policies) = &observation.policies else { return };
    let command = policy.command(&observation.vhost);
    let seen = observation.queues.iter().any(|queue| {
        queue.effective.is_some() && Policy::for_queue(&queue.name).is_some_and(|needed| needed.name == policy.name)
    });
    let Some(found) = policies.iter().find(|found| &*found.name == policy.name) else {
        // Where queues show what applies to them, that has been judged already.
        let severity = if seen { Severity::Note } else { Severity::Wrong };
        findings.push(
            Finding::new(severity, Topic::PolicyMissing, policy.name, "there is no policy of this name")
                .so("new queues get whatever else matches them")
                .mend(command),
        );
        return;
    };
    if &*found.pattern != policy.pattern || !["queues", "all", "quorum_queues"].contains(&&*found.apply_to) {
        let problem = format!(
            "it applies to {} that match {} instead of {} that match {}",
            found.apply_to, found.pattern, policy.apply_to, policy.pattern
        );
        let severity = if seen { Severity::Note } else { Severity::Wrong };
        findings.push(
            Finding::new(severity, Topic::PolicyMissing, policy.name, problem)
                .so("it may miss queues that need it")
                .mend(command.clone()),
        );
    }
    if !seen && let Some((severity, problem)) = compare_definition(policy, &found.definition) {
        findings.push(Finding::new(severity, Topic::Setting, policy.name, problem).mend(command));
    }
    let (above, beside) = (
        |other: &&VhostPolicy| other.priority > found.priority,
        |other: &&VhostPolicy| other.priority == found.priority,
    );
    let foreign = || {
        policies
            .iter()
            .filter(|other| &*other.apply_to != "exchanges" && !POLICIES.iter().any(|ours| *ours.name == *other.name))
    };
    for other in foreign().filter(|other| above(other) || beside(other)) {
        let severity = if seen { Severity::Note } else { Severity::Risky };
        let order = if above(&other) { "a higher" } else { "the same" };
        let problem = format!("it has {order} priority, {}, than {}", other.priority, policy.name);
        findings.push(
            Finding::new(severity, Topic::Shadowed, &other.name, problem)
                .so(format!("queues that match {} may get it instead", other.pattern))
                .mend(format!("give it a priority below {PRIORITY} or a pattern that spares dmr., or raise ours")),
        );
    }
}

fn operators(observation: &Observation, findings: &mut Vec<Finding>) {
    let applied = |name: &str| observation.queues.iter().find(|queue| queue.operator_policy.as_deref() == Some(name));
    for policy in observation.operator_policies.iter().flatten() {
        let definition = serde_json::Value::Object(policy.definition.clone());
        if let Some(queue) = applied(&policy.name) {
            let problem =
                format!("this operator policy changes queues of ours, {} among them, by {definition}", queue.name);
            findings.push(
                Finding::new(Severity::Note, Topic::OperatorPolicy, &policy.name, problem)
                    .so("the smaller number counts, whatever our policy says"),
            );
        }
    }
}

fn unseen(observation: &Observation, findings: &mut Vec<Finding>) {
    if !observation.overview.statistics {
        findings.push(
            Finding::new(Severity::Risky, Topic::Unseen, "broker", "it collects no figures about its queues")
                .so("it cannot be seen which policies apply")
                .mend("set management_agent.disable_metrics_collector = false"),
        );
    } else {
        for queue in observation
            .queues
            .iter()
            .filter(|queue| queue.effective.is_none() && Policy::for_queue(&queue.name).is_some())
        {
            let problem = "the broker has no figures of it yet, and does not say which policy applies";
            findings.push(Finding::new(Severity::Note, Topic::Unseen, &queue.name, problem).mend("ask again in 10 s"));
        }
    }
    if observation.policies.is_none() {
        let problem = "this user may not list policies";
        findings.push(
            Finding::new(Severity::Note, Topic::Unseen, &observation.vhost, problem)
                .so("only queues that exist are judged by what applies to them"),
        );
    }
}

#[cfg(test)]
mod tests;
