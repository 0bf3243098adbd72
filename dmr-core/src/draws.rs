//! Seeded draws for jitter and shuffling: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Not cryptographic.
//!
//! The same seed gives the same draws, so that a simulation replays from one number. Nothing secret may come from here.

/// An endless sequence of draws from one seed.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..=last`. The bias of at most one in 2⁶⁴ per value does not matter to jitter.
    pub(crate) fn up_to(&mut self, last: u64) -> u64 {
        let scaled = u128::from(self.bits()) * (u128::from(last) + 1);
        u64::try_from(scaled >> 64).unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_the_reference_implementation() {
        // Printed by Vigna's splitmix64.c from the seed 1234567.
        let mut draws = Draws::new(1_234_567);
        assert_eq!(draws.bits(), 6_457_827_717_110_365_317);
        assert_eq!(draws.bits(), 3_203_168_211_198_807_973);
        assert_eq!(draws.bits(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn a_draw_stays_in_its_range_and_reaches_both_ends() {
        let mut draws = Draws::new(7);
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[usize::try_from(draws.up_to(3)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(draws.up_to(0), 0);
        assert!((0..200).any(|_| draws.up_to(u64::MAX) > u64::MAX / 2));
    }
}
