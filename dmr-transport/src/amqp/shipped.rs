//! What stands in `deploy/rabbitmq/` says the same as [`POLICIES`].

use serde_json::{Value, json};

use super::policy::{POLICIES, PRIORITY, Policy};

const DEFINITIONS: &str = include_str!("../../../deploy/rabbitmq/definitions.json");
const SCRIPT: &str = include_str!("../../../deploy/rabbitmq/policies.sh");
const README: &str = include_str!("../../../deploy/rabbitmq/README.md");

#[test]
fn the_definitions_file_holds_the_policies_and_nothing_else() {
    let needed: Vec<Value> = POLICIES
        .iter()
        .map(|policy| {
            json!({
                "vhost": "/",
                "name": policy.name,
                "pattern": policy.pattern,
                "apply-to": policy.apply_to,
                "priority": PRIORITY,
                "definition": policy.definition_json(),
            })
        })
        .collect();
    let shipped: Value = serde_json::from_str(DEFINITIONS).unwrap();
    assert_eq!(shipped, json!({ "policies": needed }));
}

#[test]
fn the_script_sets_the_policies_and_no_others() {
    let shipped: Vec<&str> = SCRIPT.split("\nset_policy ").skip(1).collect();
    let needed = POLICIES.iter().map(|policy| {
        format!("{} '{}' \\\n    '{}'", policy.name, policy.pattern, Value::Object(policy.definition_json()))
    });
    assert_eq!(shipped.iter().map(|call| call.trim_end().to_owned()).collect::<Vec<_>>(), needed.collect::<Vec<_>>());
    assert!(SCRIPT.contains(&format!("--priority {PRIORITY} --apply-to queues")));
}

#[test]
fn the_readme_says_what_each_policy_is_for() {
    for policy in &POLICIES {
        assert!(README.contains(&format!("`{}`", policy.name)), "{}", policy.name);
        for setting in policy.definition {
            assert!(README.contains(&format!("`{}`", setting.key)), "{}", setting.key);
        }
    }
}

#[test]
fn each_queue_has_the_policy_that_its_name_matches() {
    for (queue, policy) in [
        ("dmr.a.0192f0a0-0000-7000-8000-000000000001", Some("dmr-mailboxes")),
        ("dmr.dead", Some("dmr-dead")),
        ("dmr.dead.kept", Some("dmr-dead-kept")),
        ("dmr.probe", Some("dmr-probe")),
        ("dmr.store", None),
        ("dmr.s.0192f0a0-0000-7000-8000-000000000001", None),
        ("other", None),
    ] {
        assert_eq!(Policy::for_queue(queue).map(|policy| policy.name), policy, "{queue}");
    }
}

#[test]
fn a_command_is_safe_in_a_shell() {
    let command = POLICIES[3].command("it's one");
    assert_eq!(
        command,
        r#"rabbitmqctl set_policy --vhost 'it'\''s one' --priority 10 --apply-to queues dmr-probe '^dmr\.probe$' '{"max-length":1000,"message-ttl":60000,"overflow":"drop-head","queue-leader-locator":"balanced"}'"#
    );
}
