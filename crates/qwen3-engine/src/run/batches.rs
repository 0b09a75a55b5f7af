//! Which texts are computed together. Lengths in, groups of indices out.

/// Groups of indices into `lengths`, each of at most `max_batch_tokens` tokens,
/// or of one text that is longer than that.
///
/// Longest first, so that a batch holds texts of similar length, memory peaks
/// at the start, and a progress bar speeds up.
pub fn plan(lengths: &[usize], max_batch_tokens: usize) -> Vec<Vec<usize>> {
    let mut by_length: Vec<usize> = (0..lengths.len()).collect();
    by_length.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut batches: Vec<Vec<usize>> = vec![];
    let mut room = 0;
    for index in by_length {
        if lengths[index] > room || batches.is_empty() {
            batches.push(vec![]);
            room = max_batch_tokens.max(lengths[index]);
        }
        room -= lengths[index];
        batches.last_mut().expect("one was pushed").push(index);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_similar_length_share_a_batch() {
        assert_eq!(plan(&[2, 9, 3, 8, 1], 10), [vec![1], vec![3], vec![2, 0, 4]]);
        assert_eq!(plan(&[50], 10), [vec![0]]);
        assert!(plan(&[], 10).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_and_no_batch_is_over_budget(
            lengths in prop::collection::vec(1usize..600, 0..200),
            max_batch_tokens in 1usize..1000,
        ) {
            let batches = plan(&lengths, max_batch_tokens);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in batches {
                let tokens: usize = batch.iter().map(|&index| lengths[index]).sum();
                prop_assert!(tokens <= max_batch_tokens || batch.len() == 1);
            }
        }
    }
}
