//! Sums as NumPy and Python make them. Where mteb asks whether two are equal, or rounds, the last bit decides.

/// `numpy.sum`: pairs of blocks of up to 128, each summed in eight lanes.
pub(crate) fn sum(numbers: &[f64]) -> f64 {
    let len = numbers.len();
    if len < 8 {
        return numbers.iter().sum();
    }
    if len > 128 {
        let half = len / 2;
        let (left, right) = numbers.split_at(half - half % 8);
        return sum(left) + sum(right);
    }
    let (blocks, rest) = numbers.as_chunks::<8>();
    let mut lanes = blocks[0];
    for block in &blocks[1..] {
        lanes.iter_mut().zip(block).for_each(|(lane, number)| *lane += number);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let whole = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(whole, |sum, number| sum + number)
}

/// `numpy.add.reduceat` of one group: the first number, then the sum of the others.
pub(crate) fn sum_of_group(numbers: &[f64]) -> f64 {
    numbers.split_first().map_or(0.0, |(first, rest)| first + sum(rest))
}

/// `numpy.mean`; NaN of nothing.
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    sum(numbers) / numbers.len() as f64
}

/// `numpy.std`.
pub(crate) fn standard_deviation(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    let squares: Vec<f64> =
        numbers.iter().map(|number| (number - mean) * (number - mean)).collect();
    (sum(&squares) / numbers.len() as f64).sqrt()
}

/// Python's `sum` from 3.12 on, with what each addition has lost (Neumaier 1974): the order of the numbers
/// hardly counts.
pub(crate) fn python_sum(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for number in numbers {
        let next = sum + number;
        lost += match sum.abs() >= number.abs() {
            true => (sum - next) + number,
            false => (number - next) + sum,
        };
        sum = next;
    }
    sum + lost
}

/// Python's `round(number, 5)`, for the numbers that mteb rounds.
pub(crate) fn round_to_5(number: f64) -> f64 {
    // Both round the exact value of the number, half to even.
    format!("{number:.5}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3.12 answers.
    #[test]
    fn nothing_is_lost_in_a_sum() {
        assert_eq!(python_sum([0.1; 10]), 1.0);
        assert_eq!(python_sum([1e100, 1.0, -1e100]), 1.0);
        assert_eq!(python_sum([]).to_bits(), 0);
    }
}
