//! Finds what a history has that it must not have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Entry, Event, Fate, Phase};
use super::verdict::{Recovery, Verdict};

/// Everything about one message. Places are those of lines in the history.
#[derive(Debug, Default)]
struct Story<'a> {
    sent: Option<Sent<'a>>,
    accepted: Option<usize>,
    refused: bool,
    unknown: bool,
    calls: Vec<Called<'a>>,
    fates: Vec<Fate>,
    /// A second event of which there can be only one.
    repeated: bool,
}

#[derive(Debug)]
struct Sent<'a> {
    place: usize,
    from: &'a str,
    to: &'a str,
    hash: &'a str,
}

#[derive(Debug)]
struct Called<'a> {
    place: usize,
    at: &'a str,
    from: &'a str,
    key: &'a str,
    hash: &'a str,
    taken: bool,
}

/// The verdict over these entries, in this order.
pub fn judge(entries: &[Entry]) -> Verdict {
    let stories = stories(entries);
    let mut verdict = Verdict { recoveries: recoveries(entries), ..Verdict::default() };
    for (id, story) in &stories {
        count(&mut verdict, story);
        let mut found = |list: fn(&mut Verdict) -> &mut Vec<String>, so: bool| {
            if so {
                list(&mut verdict).push((*id).to_owned());
            }
        };
        found(|verdict| &mut verdict.lost, story.is_lost());
        found(|verdict| &mut verdict.unexpected, story.is_unexpected());
        found(|verdict| &mut verdict.misrouted, story.is_misrouted());
        found(|verdict| &mut verdict.doubled, story.is_doubled());
        found(|verdict| &mut verdict.undecided, story.is_undecided());
        found(|verdict| &mut verdict.false_receipts, story.has_false_receipt());
        found(|verdict| &mut verdict.malformed, story.is_malformed());
    }
    verdict.out_of_order = out_of_order(&stories);
    verdict
}

fn stories(entries: &[Entry]) -> BTreeMap<&str, Story<'_>> {
    let mut stories = BTreeMap::<&str, Story<'_>>::new();
    for (place, entry) in entries.iter().enumerate() {
        match &entry.event {
            Event::Send { id, from, to, hash, .. } => {
                let story = stories.entry(id).or_default();
                story.repeated |= story.sent.replace(Sent { place, from, to, hash }).is_some();
            }
            Event::Accepted { id } => {
                let story = stories.entry(id).or_default();
                story.repeated |= story.accepted.replace(place).is_some();
            }
            Event::Refused { id, .. } => stories.entry(id).or_default().refused = true,
            Event::Unknown { id, .. } => stories.entry(id).or_default().unknown = true,
            Event::Sink { id, at, from, key, hash, taken } => {
                let call = Called { place, at, from, key, hash, taken: *taken };
                stories.entry(id).or_default().calls.push(call);
            }
            Event::Receipt { id, fate, .. } => stories.entry(id).or_default().fates.push(*fate),
            Event::Fault { .. } => {}
        }
    }
    stories
}

fn count(verdict: &mut Verdict, story: &Story<'_>) {
    let (accepted, arrived) = (story.accepted.is_some(), story.arrived());
    verdict.attempts += usize::from(story.sent.is_some());
    verdict.acknowledged += usize::from(accepted);
    verdict.ok += usize::from(accepted && arrived);
    verdict.refused += usize::from(story.refused);
    verdict.unknown += usize::from(story.unknown);
    verdict.recovered += usize::from(story.unknown && arrived);
    verdict.failed += usize::from(accepted && story.fates.last() == Some(&Fate::Failed));
    verdict.duplicated += usize::from(story.calls.len() > 1);
}

impl Story<'_> {
    /// Whether the service of its recipient took it.
    fn arrived(&self) -> bool {
        let there = |call: &Called<'_>| self.sent.as_ref().is_some_and(|sent| sent.to == call.at);
        self.calls.iter().any(|call| call.taken && there(call))
    }

    fn is_lost(&self) -> bool {
        self.accepted.is_some() && !self.arrived() && !self.fates.contains(&Fate::Failed)
    }

    fn is_unexpected(&self) -> bool {
        let Some(sent) = &self.sent else { return !self.calls.is_empty() };
        let other = |call: &Called<'_>| call.hash != sent.hash || call.place < sent.place;
        self.calls.iter().any(other) || (self.refused && !self.calls.is_empty())
    }

    fn is_misrouted(&self) -> bool {
        let Some(sent) = &self.sent else { return false };
        self.calls.iter().any(|call| call.at != sent.to || call.from != sent.from)
    }

    /// A service has one effect for each key it took: more keys are more effects, and so are more services.
    fn is_doubled(&self) -> bool {
        let taken = self.calls.iter().filter(|call| call.taken);
        taken.map(|call| (call.at, call.key)).collect::<BTreeSet<_>>().len() > 1
    }

    fn is_undecided(&self) -> bool {
        let answered = self.accepted.is_some() || self.refused || self.unknown;
        (self.sent.is_some() && !answered) || (self.accepted.is_some() && self.fates.is_empty())
    }

    /// The last word counts: a receipt that the recipient signed overrides advice before it.
    fn has_false_receipt(&self) -> bool {
        match self.fates.last() {
            None => false,
            Some(Fate::Delivered) => !self.arrived(),
            Some(Fate::Failed) => self.arrived() || self.fates.contains(&Fate::Delivered),
        }
    }

    fn is_malformed(&self) -> bool {
        let ends = [self.accepted.is_some(), self.refused, self.unknown];
        let told = !self.fates.is_empty() || ends.contains(&true);
        let before = self.sent.as_ref().zip(self.accepted).is_some_and(|(sent, accepted)| accepted < sent.place);
        let several = ends.into_iter().filter(|end| *end).count() > 1;
        self.repeated || before || several || (told && self.sent.is_none())
    }
}

/// The messages that were taken before another of the same sender and recipient which had been accepted before they
/// were sent. Where either was called for twice, the broker was allowed to change the order.
fn out_of_order(stories: &BTreeMap<&str, Story<'_>>) -> Vec<String> {
    let mut lanes = BTreeMap::<_, Vec<_>>::new();
    for (id, story) in stories {
        if let (Some(sent), Some(accepted), [call]) = (&story.sent, story.accepted, &story.calls[..]) {
            lanes.entry((sent.from, sent.to)).or_default().push((call.place, sent.place, accepted, *id));
        }
    }
    let mut found = Vec::new();
    for lane in lanes.values_mut() {
        lane.sort_unstable();
        // From the last call to the first: the earliest acceptance among those that were called for later.
        let mut earliest = usize::MAX;
        for (_, sent, accepted, id) in lane.iter().rev() {
            if earliest < *sent {
                found.push((*id).to_owned());
            }
            earliest = earliest.min(*accepted);
        }
    }
    found.sort();
    found
}

/// For every fault, the time until messages were accepted again.
fn recoveries(entries: &[Entry]) -> Vec<Recovery> {
    let mut recoveries = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let Event::Fault { name, phase } = &entry.event else { continue };
        let later = entries.get(place + 1..).unwrap_or_default();
        let again = match phase {
            Phase::Begin => continue,
            Phase::End => later.iter().find(|entry| matches!(entry.event, Event::Accepted { .. })),
            Phase::Moment => accepted_of_those_sent(later),
        };
        let after = again.map(|again| Duration::from_micros(again.time.saturating_sub(entry.time)));
        recoveries.push(Recovery { fault: name.clone(), after });
    }
    recoveries
}

/// The first acceptance of a message that was sent here too: an earlier one may have been on its way back already. With
/// none sent here, the last acceptance: by then at the latest.
fn accepted_of_those_sent(later: &[Entry]) -> Option<&Entry> {
    let (mut sent, mut last) = (BTreeSet::new(), None);
    for entry in later {
        match &entry.event {
            Event::Send { id, .. } => drop(sent.insert(id)),
            Event::Accepted { id } if sent.contains(id) => return Some(entry),
            Event::Accepted { .. } => last = Some(entry),
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests;
