//! Random and mutated input, many times over.

use proptest::prelude::*;

use crate::hostile;

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Mutation {
    Flip { at: usize, bit: u8 },
    Set { at: usize, byte: u8 },
    Delete { at: usize, len: usize },
    Insert { at: usize, bytes: Vec<u8> },
    Repeat { at: usize, len: usize },
    Truncate { at: usize },
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let place = |at: usize| if len == 0 { 0 } else { at % len };
        let range = |at: usize, wanted: usize| place(at)..(place(at) + wanted).min(len);
        match self {
            Self::Flip { at, bit } => bytes.iter_mut().skip(place(*at)).take(1).for_each(|byte| *byte ^= 1 << bit),
            Self::Set { at, byte } => bytes.iter_mut().skip(place(*at)).take(1).for_each(|old| *old = *byte),
            Self::Delete { at, len } => drop(bytes.drain(range(*at, *len))),
            Self::Insert { at, bytes: new } => drop(bytes.splice(range(*at, 0), new.iter().copied())),
            Self::Repeat { at, len } => {
                let copy = bytes[range(*at, *len)].to_vec();
                drop(bytes.splice(range(*at, 0), copy));
            }
            Self::Truncate { at } => bytes.truncate(place(*at)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<usize>;
    prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set { at, byte }),
        1 => (at(), 1..64_usize).prop_map(|(at, len)| Mutation::Delete { at, len }),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        1 => (at(), 1..64_usize).prop_map(|(at, len)| Mutation::Repeat { at, len }),
        1 => at().prop_map(|at| Mutation::Truncate { at }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused_by_everything(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        hostile::anything_from_a_stranger(&bytes);
    }

    #[test]
    fn random_json_is_refused_or_read_as_what_is_written(text in r#"\{("[a-z]{1,12}":(\{\}|\[\]|[0-9]{1,20}|"[a-zA-Z0-9_-]{0,43}"|null),?){0,8}\}"#) {
        hostile::anything_from_a_stranger(text.as_bytes());
    }

    #[test]
    fn mutated_good_input_is_never_accepted_as_something_else(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let inputs = hostile::good_inputs();
        let mut bytes = which.get(inputs).clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        hostile::anything_from_a_stranger(&bytes);
    }
}

#[test]
fn good_input_is_accepted_so_that_the_random_tests_mean_something() {
    for input in hostile::good_inputs() {
        hostile::anything_from_a_stranger(input);
    }
}
