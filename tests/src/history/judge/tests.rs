use std::time::Duration;

use super::*;
use crate::history::{History, read};

/// A history by hand: each call is a line, ten milliseconds after the one before.
#[derive(Default)]
struct Tale(Vec<Entry>);

impl Tale {
    fn then(mut self, event: Event) -> Self {
        let time = u64::try_from(self.0.len()).unwrap() * 10_000;
        self.0.push(Entry { time, event });
        self
    }

    fn send(self, id: &str) -> Self {
        self.send_to(id, "police")
    }

    fn send_to(self, id: &str, to: &str) -> Self {
        let (id, from, to, hash) = (id.to_owned(), "tax".to_owned(), to.to_owned(), format!("hash of {id}"));
        self.then(Event::Send { id, from, to, sequence: 0, hash })
    }

    fn accepted(self, id: &str) -> Self {
        self.then(Event::Accepted { id: id.to_owned() })
    }

    fn refused(self, id: &str) -> Self {
        self.then(Event::Refused { id: id.to_owned(), why: "404".to_owned() })
    }

    fn unknown(self, id: &str) -> Self {
        self.then(Event::Unknown { id: id.to_owned(), why: "504".to_owned() })
    }

    fn sunk(self, id: &str) -> Self {
        self.sunk_as(id, |_| {})
    }

    /// A call of the police's service that differs from a good one as `change` says.
    fn sunk_as(self, id: &str, change: impl Fn(&mut Sink)) -> Self {
        let mut sink = Sink::of(id);
        change(&mut sink);
        let Sink { id, at, from, key, hash, taken } = sink;
        self.then(Event::Sink { id, at, from, key, hash, taken })
    }

    fn delivered(self, id: &str) -> Self {
        self.then(Event::Receipt { id: id.to_owned(), fate: Fate::Delivered, why: String::new() })
    }

    fn failed(self, id: &str) -> Self {
        self.then(Event::Receipt { id: id.to_owned(), fate: Fate::Failed, why: "expired".to_owned() })
    }

    fn fault(self, phase: Phase) -> Self {
        self.then(Event::Fault { name: "harm".to_owned(), phase })
    }

    /// A message from its beginning to its good end.
    fn whole(self, id: &str) -> Self {
        self.send(id).accepted(id).sunk(id).delivered(id)
    }

    fn verdict(&self) -> Verdict {
        judge(&self.0)
    }

    /// Judges this beside a sound message; exactly these findings must be there, each of them the message `x`.
    fn has(self, findings: &[&str]) {
        let verdict = self.whole("beside").verdict();
        let all = [
            ("lost", &verdict.lost),
            ("unexpected", &verdict.unexpected),
            ("misrouted", &verdict.misrouted),
            ("doubled", &verdict.doubled),
            ("undecided", &verdict.undecided),
            ("false receipts", &verdict.false_receipts),
            ("malformed", &verdict.malformed),
        ];
        for (name, found) in all {
            let expected: &[String] = if findings.contains(&name) { &["x".to_owned()] } else { &[] };
            assert_eq!(found, expected, "{name} in {verdict}");
        }
        assert_eq!(verdict.sound().is_ok(), findings.is_empty(), "{verdict}");
    }
}

struct Sink {
    id: String,
    at: String,
    from: String,
    key: String,
    hash: String,
    taken: bool,
}

impl Sink {
    fn of(id: &str) -> Self {
        let [at, from] = ["police", "tax"].map(str::to_owned);
        Self { id: id.to_owned(), at, from, key: id.to_owned(), hash: format!("hash of {id}"), taken: true }
    }
}

fn tale() -> Tale {
    Tale::default()
}

#[test]
fn a_clean_history_is_sound() {
    tale().whole("x").has(&[]);
    // The service may be called, and take it, before the caller hears that it is accepted.
    tale().send("x").sunk("x").accepted("x").delivered("x").has(&[]);
    tale().send("x").accepted("x").failed("x").has(&[]);
    tale().send("x").refused("x").has(&[]);
    tale().send("x").unknown("x").has(&[]);
}

#[test]
fn nothing_acknowledged_is_nothing_tested() {
    assert!(tale().verdict().sound().is_err());
    assert!(tale().send("x").unknown("x").verdict().sound().is_err());
}

#[test]
fn an_accepted_message_that_never_came_is_lost() {
    tale().send("x").accepted("x").has(&["lost", "undecided"]);
    tale().send("x").accepted("x").delivered("x").has(&["lost", "false receipts"]);
    // A service that said no has not taken it.
    tale().send("x").accepted("x").sunk_as("x", |sink| sink.taken = false).has(&["lost", "undecided"]);
}

#[test]
fn a_message_that_was_never_sent_or_was_changed_is_unexpected() {
    tale().sunk("x").has(&["unexpected"]);
    let changed = tale().send("x").accepted("x").sunk_as("x", |sink| sink.hash = "another".to_owned());
    changed.delivered("x").has(&["unexpected"]);
    tale().sunk("x").send("x").accepted("x").delivered("x").has(&["unexpected"]);
    tale().send("x").refused("x").sunk("x").has(&["unexpected"]);
}

#[test]
fn a_message_at_anothers_service_or_under_anothers_name_is_misrouted() {
    let both = tale().send("x").accepted("x").sunk_as("x", |sink| {
        sink.at = "library".to_owned();
        sink.taken = false;
    });
    both.sunk("x").delivered("x").has(&["misrouted"]);
    let elsewhere = tale().send("x").accepted("x").sunk_as("x", |sink| sink.at = "library".to_owned());
    elsewhere.has(&["lost", "misrouted", "undecided"]);
    let renamed = tale().send("x").accepted("x").sunk_as("x", |sink| sink.from = "library".to_owned());
    renamed.delivered("x").has(&["misrouted"]);
}

#[test]
fn a_second_call_is_counted_and_a_second_effect_is_a_fault() {
    let again = tale().whole("x").sunk("x");
    assert_eq!(again.verdict().duplicated, 1);
    again.has(&[]);
    tale().whole("x").sunk_as("x", |sink| sink.key = "another".to_owned()).has(&["doubled"]);
    let untaken = |sink: &mut Sink| (sink.key, sink.taken) = ("another".to_owned(), false);
    tale().whole("x").sunk_as("x", untaken).has(&[]);
}

#[test]
fn what_its_sender_cannot_see_the_end_of_is_undecided() {
    tale().send("x").accepted("x").sunk("x").has(&["undecided"]);
    tale().send("x").has(&["undecided"]);
    tale().send("x").sunk("x").has(&["undecided"]);
}

#[test]
fn a_receipt_that_says_what_is_not_so_is_false() {
    tale().send("x").unknown("x").delivered("x").has(&["false receipts"]);
    tale().send("x").unknown("x").sunk("x").failed("x").has(&["false receipts"]);
    tale().whole("x").failed("x").has(&["false receipts"]);
    // A signed word overrides advice that came before.
    tale().send("x").accepted("x").failed("x").sunk("x").delivered("x").has(&[]);
}

#[test]
fn a_record_that_contradicts_itself_is_malformed() {
    tale().accepted("x").send("x").sunk("x").delivered("x").has(&["malformed"]);
    tale().send("x").whole("x").has(&["malformed"]);
    tale().whole("x").unknown("x").has(&["malformed"]);
    tale().failed("x").has(&["malformed"]);
}

#[test]
fn an_unknown_message_that_came_is_recovered() {
    let verdict = tale().send("x").unknown("x").sunk("x").delivered("x").whole("y").verdict();
    assert_eq!((verdict.attempts, verdict.acknowledged, verdict.ok), (2, 1, 1));
    assert_eq!((verdict.unknown, verdict.recovered), (1, 1));
    verdict.sound().unwrap();
}

#[test]
fn order_counts_where_one_was_accepted_before_the_other_was_sent_and_neither_came_twice() {
    let crossed = || tale().send("a").accepted("a").send("b").accepted("b").sunk("b").sunk("a");
    assert_eq!(crossed().verdict().out_of_order, ["b"]);
    assert!(crossed().sunk("a").verdict().out_of_order.is_empty());
    assert!(crossed().sunk("b").verdict().out_of_order.is_empty());
    // Sent while the other was on its way: neither is before the other.
    let together = tale().send("a").send("b").accepted("a").accepted("b").sunk("b").sunk("a");
    assert!(together.verdict().out_of_order.is_empty());
    let lanes = tale().send("a").accepted("a").send_to("b", "library").accepted("b");
    let lanes = lanes.sunk_as("b", |sink| sink.at = "library".to_owned()).sunk("a");
    assert!(lanes.verdict().out_of_order.is_empty());
    let straight = tale().whole("a").whole("b").whole("c");
    assert!(straight.verdict().out_of_order.is_empty());
}

#[test]
fn recovery_is_counted_from_the_end_of_a_fault() {
    let after = |tale: Tale| tale.verdict().recoveries.first().map(|recovery| recovery.after);
    let ten = Duration::from_millis(10);
    let fault = tale().send("x").fault(Phase::Begin).fault(Phase::End);
    assert_eq!(after(fault.accepted("x")), Some(Some(ten)));
    // After a moment, what was on its way already says nothing while there is anything else.
    let moment = || tale().send("x").fault(Phase::Moment).accepted("x");
    assert_eq!(after(moment().whole("y")), Some(Some(3 * ten)));
    assert_eq!(after(moment()), Some(Some(ten)));

    let never = tale().whole("x").fault(Phase::End).verdict();
    assert!(never.recovered_within(Duration::MAX).is_err());
    let late = moment().verdict();
    assert!(late.recovered_within(Duration::from_millis(9)).is_err());
    late.recovered_within(ten).unwrap();
    assert_eq!(after(tale().fault(Phase::Begin)), None);
}

#[test]
fn a_history_is_in_its_file_as_it_happened_and_a_bad_verdict_names_that() {
    let files = tempfile::tempdir().unwrap();
    let history = History::at(files.path().join("unsound.jsonl")).unwrap();
    for entry in tale().send("x").accepted("x").fault(Phase::Moment).0 {
        history.note(entry.event);
    }
    assert_eq!(read(history.path()).unwrap(), history.entries());
    let failure = history.conclude().unwrap_err().to_string();
    assert!(failure.contains("lost 1: x") && failure.contains("unsound.jsonl"), "{failure}");

    for entry in tale().sunk("x").delivered("x").0 {
        history.note(entry.event);
    }
    assert_eq!(history.conclude().unwrap().ok, 1);
    assert!(History::at(history.path().to_owned()).is_err(), "it is there already");
}
