//! Which deliveries of a channel to acknowledge, in as few acknowledgements as say it.

use std::collections::BTreeSet;

/// Which tags of a channel are settled, and how few acknowledgements say so. Tags count up from 1 without a gap.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Every tag up to this one is settled at the broker.
    settled_to: u64,
    /// Tags beyond it that are settled at the broker.
    settled: BTreeSet<u64>,
    /// Tags to acknowledge.
    pending: BTreeSet<u64>,
}

impl Acks {
    pub(super) fn add(&mut self, tag: u64) {
        self.pending.insert(tag);
    }

    /// A tag is settled in another way.
    pub(super) fn pass(&mut self, tag: u64) {
        self.settled.insert(tag);
    }

    /// What to acknowledge now: tags, and whether all before are meant too.
    pub(super) fn take(&mut self) -> Vec<(u64, bool)> {
        let (mut end, mut last) = (self.settled_to, None);
        loop {
            let next = end + 1;
            if self.pending.remove(&next) {
                last = Some((next, last.is_some()));
            } else if !self.settled.remove(&next) {
                break;
            }
            end = next;
        }
        self.settled_to = end;
        let rest = std::mem::take(&mut self.pending);
        self.settled.extend(&rest);
        last.into_iter().chain(rest.into_iter().map(|tag| (tag, false))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(acks: &mut Acks, tags: &[u64]) -> Vec<(u64, bool)> {
        tags.iter().for_each(|tag| acks.add(*tag));
        acks.take()
    }

    #[test]
    fn a_run_of_acknowledgements_is_one_and_a_single_one_is_single() {
        let mut acks = Acks::default();
        assert_eq!(after(&mut acks, &[1]), [(1, false)]);
        assert_eq!(after(&mut acks, &[4, 2, 3]), [(4, true)]);
        assert_eq!(after(&mut acks, &[]), []);
    }

    #[test]
    fn what_is_not_settled_is_never_acknowledged_by_a_later_one() {
        let mut acks = Acks::default();
        assert_eq!(after(&mut acks, &[2, 3]), [(2, false), (3, false)]);
        // 1 is still with the agent; once it is settled, the run goes on behind what was settled before.
        assert_eq!(after(&mut acks, &[5]), [(5, false)]);
        assert_eq!(after(&mut acks, &[1, 4, 6]), [(6, true)]);
    }

    #[test]
    fn a_tag_that_was_given_back_is_passed_over() {
        let mut acks = Acks::default();
        acks.pass(2);
        assert_eq!(after(&mut acks, &[1, 3]), [(3, true)]);
        acks.pass(4);
        assert_eq!(after(&mut acks, &[]), []);
        assert_eq!(after(&mut acks, &[5]), [(5, false)]);
    }

    #[test]
    fn in_any_order_every_tag_is_acknowledged_once_and_none_too_early() {
        // A fixed permutation, settled in batches of every size.
        let order: Vec<u64> = (0..200).map(|step| step * 67 % 200 + 1).collect();
        for size in 1..=17 {
            let (mut acks, mut asked, mut done) = (Acks::default(), BTreeSet::<u64>::new(), BTreeSet::new());
            for batch in order.chunks(size) {
                asked.extend(batch);
                for (tag, multiple) in after(&mut acks, batch) {
                    let covered: Vec<u64> = if multiple { (1..=tag).collect() } else { vec![tag] };
                    assert!(covered.iter().all(|tag| asked.contains(tag)), "{tag} of {size} is too early");
                    assert!(!done.contains(&tag), "the broker refuses a tag it does not know any more");
                    done.extend(covered);
                }
            }
            assert_eq!(done.len(), 200);
        }
    }
}
