//! Several rounds as one: counts are summed, everything else is the median.

use serde_json::{Map, Value};

use super::cost::round;

/// What is summed over the rounds: one lost message among many rounds must show.
const SUMS: [&str; 4] = ["failed", "retried", "lost", "duplicated"];

/// One report of the same shape as each of these. Text is taken from the first.
pub fn merge(rounds: &[Value]) -> Value {
    match rounds {
        [] => Value::Null,
        [only] => only.clone(),
        [first, ..] => merged("", first, rounds),
    }
}

fn merged(name: &str, first: &Value, rounds: &[Value]) -> Value {
    match first {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, first)| (name.clone(), merged(name, first, &each(rounds, |round| round.get(name)))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(places) => {
            let places =
                places.iter().enumerate().map(|(at, first)| merged(name, first, &each(rounds, |round| round.get(at))));
            Value::Array(places.collect())
        }
        _ => number(name, first, rounds),
    }
}

fn each<'a>(rounds: &'a [Value], part: impl Fn(&'a Value) -> Option<&'a Value>) -> Vec<Value> {
    rounds.iter().filter_map(part).cloned().collect()
}

fn number(name: &str, first: &Value, rounds: &[Value]) -> Value {
    let mut numbers: Vec<f64> = rounds.iter().filter_map(Value::as_f64).collect();
    if numbers.is_empty() {
        return first.clone();
    }
    let value = if SUMS.contains(&name) { numbers.iter().sum() } else { median(&mut numbers) };
    // Whole numbers stay whole, so that one round and several read alike.
    if rounds.iter().all(|round| round.is_u64() || round.is_null()) {
        return Value::from(value.round() as u64);
    }
    Value::from(round(value))
}

/// The one in the middle, or half way between the two.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let (low, high) = (numbers.get(numbers.len().saturating_sub(1) / 2), numbers.get(numbers.len() / 2));
    low.zip(high).map_or(f64::NAN, |(low, high)| low.midpoint(*high))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rounds_give_medians_and_what_went_wrong_is_summed() {
        let round = |rate: f64, lost: u64, p50: Value| json!({"broker": "memory", "rate": rate, "lost": lost, "ms": {"p50": p50}, "rss": [lost, 10 * lost]});
        let rounds = [round(3.5, 0, json!(1.5)), round(9.5, 4, json!(null)), round(4.5, 1, json!(2.5))];
        let merged = merge(&rounds);
        assert_eq!(merged, json!({"broker": "memory", "rate": 4.5, "lost": 5, "ms": {"p50": 2.0}, "rss": [1, 10]}));
        assert_eq!(merge(&rounds[..1]), rounds[0]);
        assert_eq!(merge(&[]), Value::Null);
    }
}
