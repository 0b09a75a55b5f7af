//! Sums in NumPy's order. Where mteb asks whether two sums are equal, the last bit decides.

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

/// Python's `round(number, 5)`, for the numbers that mteb rounds.
pub(crate) fn round_to_5(number: f64) -> f64 {
    // Both round the exact value of the number, half to even.
    format!("{number:.5}").parse().unwrap_or(number)
}
