//! Work that was asked for and not done.

/// Panics of threads that a backend has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostWork {
    /// How many there were.
    pub count: u64,
    /// What the latest said, in order.
    pub messages: Vec<String>,
}

impl LostWork {
    /// What the first said after so many; the others follow from it.
    pub fn since(&self, count: u64) -> Option<String> {
        let new = usize::try_from(self.count.saturating_sub(count)).unwrap_or(usize::MAX);
        let first = self.messages.len().saturating_sub(new);
        self.messages.get(first).cloned()
    }
}
