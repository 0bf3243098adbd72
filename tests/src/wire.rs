//! Reads a WebSocket conversation as it goes by (RFC 6455): one HTTP head, then frames.

/// Cuts the bytes of one direction into pieces that can be forwarded whole.
#[derive(Debug, Default)]
pub struct Wire {
    pending: Vec<u8>,
    upgraded: bool,
}

/// A whole piece of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// As it travels.
    pub raw: Vec<u8>,
    /// Where in `raw` the application's bytes begin. The HTTP head has none.
    start: usize,
    /// The mask over them, all zeros where there is none.
    mask: [u8; 4],
    /// Whether it is a fragment of a binary message, and not a control frame or the HTTP head.
    pub binary: bool,
    /// Whether its message ends with it.
    pub last: bool,
}

impl Piece {
    /// The application's bytes, without the mask that agents must put over them.
    pub fn message(&self) -> Vec<u8> {
        let masked = self.raw.get(self.start..).unwrap_or_default();
        masked.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }

    /// Flips one bit of the application's byte `from_end` places before the end, or of the first byte where it is not
    /// in this piece.
    pub fn flip(&mut self, from_end: usize) {
        let place = self.raw.len().saturating_sub(from_end + 1).max(self.start);
        if let Some(byte) = self.raw.get_mut(place) {
            *byte ^= 1;
        }
    }
}

impl Wire {
    /// Takes bytes from the wire.
    pub fn take(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole piece, if it has arrived.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let (len, mut piece) = if self.upgraded { self.frame()? } else { self.head()? };
        self.upgraded = true;
        let rest = self.pending.split_off(len);
        piece.raw = std::mem::replace(&mut self.pending, rest);
        Some(piece)
    }

    /// Length of the HTTP head, and what is known of it.
    fn head(&self) -> Option<(usize, Piece)> {
        let len = self.pending.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        Some((len, Piece { raw: Vec::new(), start: len, mask: [0; 4], binary: false, last: true }))
    }

    /// Length of a frame, and what is known of it.
    fn frame(&self) -> Option<(usize, Piece)> {
        let (kind, length) = (*self.pending.first()?, *self.pending.get(1)?);
        let (masked, short) = (length & 0x80 != 0, length & 0x7f);
        let (len, mut start) = match short {
            126 => (u64::from(u16::from_be_bytes(self.array(2)?)), 4),
            127 => (u64::from_be_bytes(self.array(2)?), 10),
            short => (u64::from(short), 2),
        };
        let mut mask = [0; 4];
        if masked {
            mask = self.array(start)?;
            start += 4;
        }
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        // A message is one frame that says binary, or several of which the others say that they go on with it.
        let (binary, last) = (matches!(kind & 0x0f, 0 | 2), kind & 0x80 != 0);
        let piece = Piece { raw: Vec::new(), start, mask, binary, last };
        (self.pending.len() >= end).then_some((end, piece))
    }

    fn array<const N: usize>(&self, start: usize) -> Option<[u8; N]> {
        self.pending.get(start..start + N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_cut_at_the_head_and_at_each_frame_however_it_arrives() {
        let masked = [0x82, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3];
        let ping = [0x89, 0x00];
        let long = [&[0x82, 126, 0, 200][..], &[7; 200]].concat();
        let all = [b"GET / HTTP/1.1\r\n\r\n", &masked[..], &ping, &long].concat();
        let (mut wire, mut pieces) = (Wire::default(), Vec::new());
        for byte in all {
            wire.take(&[byte]);
            pieces.extend(wire.next_piece());
        }
        let messages: Vec<_> = pieces.iter().map(|piece| (piece.binary, piece.message())).collect();
        let expected = [(false, vec![]), (true, b"abc".to_vec()), (false, vec![]), (true, vec![7; 200])];
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_message_may_come_in_fragments_with_control_frames_between() {
        let mut wire = Wire { upgraded: true, ..Wire::default() };
        wire.take(&[0x02, 1, b'a', 0x89, 0, 0x00, 1, b'b', 0x80, 1, b'c']);
        let pieces = std::iter::from_fn(|| wire.next_piece());
        let fragments: Vec<_> = pieces.map(|piece| (piece.binary, piece.last, piece.message())).collect();
        let ping = (false, true, vec![]);
        let expected = [(true, false, vec![b'a']), ping, (true, false, vec![b'b']), (true, true, vec![b'c'])];
        assert_eq!(fragments, expected);
    }

    #[test]
    fn a_flip_changes_one_byte_under_the_mask() {
        let mut wire = Wire { upgraded: true, ..Wire::default() };
        wire.take(&[0x82, 0x83, 9, 9, 9, 9, 9, 9, 9]);
        let mut piece = wire.next_piece().unwrap();
        piece.flip(1);
        assert_eq!(piece.message(), [0, 1, 0]);
        piece.flip(1);
        piece.flip(65);
        assert_eq!(piece.message(), [1, 0, 0]);
    }
}
