//! A directory document that arrives in parts.

use bytes::Bytes;

use crate::limit;

/// The parts so far: at most [`limit::DIRECTORY`] bytes, and memory for no more than has arrived.
#[derive(Debug, Default)]
pub(super) struct DirectoryParts {
    revision: u64,
    total: usize,
    document: Vec<u8>,
}

/// A part that does not follow the ones before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

impl DirectoryParts {
    /// Adds a part; the whole document when it was the last. Offset 0 begins anew.
    pub(super) fn add(
        &mut self,
        revision: u64,
        total: u32,
        offset: u32,
        part: &[u8],
    ) -> Result<Option<Bytes>, OutOfOrder> {
        let total = usize::try_from(total).map_err(|_| OutOfOrder)?;
        let offset = usize::try_from(offset).map_err(|_| OutOfOrder)?;
        if offset == 0 {
            *self = Self { revision, total, document: Vec::new() };
        }
        let follows = revision == self.revision && total == self.total && offset == self.document.len();
        let fits = total <= limit::DIRECTORY && part.len() <= limit::DIRECTORY_PART && offset + part.len() <= total;
        if !follows || !fits || part.is_empty() {
            *self = Self::default();
            return Err(OutOfOrder);
        }
        self.document.extend_from_slice(part);
        Ok((self.document.len() == total).then(|| std::mem::take(self).document.into()))
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.document.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_order_make_the_document() {
        let mut parts = DirectoryParts::default();
        assert_eq!(parts.add(7, 5, 0, b"abc"), Ok(None));
        assert_eq!(parts.add(7, 5, 3, b"de"), Ok(Some(Bytes::from_static(b"abcde"))));
        assert_eq!(parts.held(), 0);
    }

    #[test]
    fn offset_zero_begins_anew() {
        let mut parts = DirectoryParts::default();
        assert_eq!(parts.add(7, 5, 0, b"abc"), Ok(None));
        assert_eq!(parts.add(8, 2, 0, b"xy"), Ok(Some(Bytes::from_static(b"xy"))));
    }

    #[test]
    fn a_gap_another_revision_and_a_part_past_the_end_are_refused() {
        for (revision, total, offset, part) in
            [(7, 5, 4, &b"e"[..]), (8, 5, 3, b"de"), (7, 6, 3, b"de"), (7, 5, 3, b"def"), (7, 5, 3, b"")]
        {
            let mut parts = DirectoryParts::default();
            assert_eq!(parts.add(7, 5, 0, b"abc"), Ok(None));
            assert_eq!(parts.add(revision, total, offset, part), Err(OutOfOrder));
            assert_eq!(parts.held(), 0);
        }
        assert_eq!(DirectoryParts::default().add(1, u32::MAX, 0, b"a"), Err(OutOfOrder));
    }
}
