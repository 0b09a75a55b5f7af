//! Rows of texts that were computed lately, up to a number of bytes.

use super::queue::Work;
use lru::LruCache;
use std::sync::Arc;

/// What one entry costs beside its numbers: keys, pointers and lists.
const OVERHEAD_BYTES: usize = 128;

/// The least recently used rows go first.
pub struct Cache {
    rows: LruCache<Work, Arc<[f32]>>,
    max_bytes: usize,
    bytes: usize,
}

impl Cache {
    /// An empty cache; one of no bytes keeps nothing.
    pub fn new(max_bytes: usize) -> Self {
        Self { rows: LruCache::unbounded(), max_bytes, bytes: 0 }
    }

    /// The rows of a text, if they are here.
    pub fn get(&mut self, work: &Work) -> Option<Arc<[f32]>> {
        self.rows.get(work).cloned()
    }

    /// Keeps the rows of a text, unless they are larger than all of the cache.
    pub fn put(&mut self, work: &Work, rows: &Arc<[f32]>) {
        let bytes = size(work, rows);
        if bytes > self.max_bytes {
            return;
        }
        if let Some(before) = self.rows.put(work.clone(), rows.clone()) {
            self.bytes -= size(work, &before);
        }
        self.bytes += bytes;
        while self.bytes > self.max_bytes
            && let Some((work, rows)) = self.rows.pop_lru()
        {
            self.bytes -= size(&work, &rows);
        }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it keeps anything at all.
    pub fn is_on(&self) -> bool {
        self.max_bytes > 0
    }
}

fn size(work: &Work, rows: &[f32]) -> usize {
    4 * (work.input_ids.len() + rows.len()) + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use qwen3_engine::Rows;

    fn work(id: u32) -> Work {
        Work::new(vec![id; 4], Rows::Last)
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let rows: Arc<[f32]> = vec![0.5; 4].into();
        let one = size(&work(1), &rows);
        let mut cache = Cache::new(2 * one);
        cache.put(&work(1), &rows);
        cache.put(&work(2), &rows);
        assert!(cache.get(&work(1)).is_some());
        cache.put(&work(3), &rows);
        let kept = [1, 2, 3].map(|id| cache.get(&work(id)).is_some());
        assert_eq!((kept, cache.bytes()), ([true, false, true], 2 * one));
        cache.put(&work(3), &rows);
        assert_eq!(cache.bytes(), 2 * one);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let mut cache = Cache::new(0);
        cache.put(&work(1), &vec![0.5; 4].into());
        assert!(cache.get(&work(1)).is_none());
        assert_eq!((cache.bytes(), cache.is_on()), (0, false));
    }
}
