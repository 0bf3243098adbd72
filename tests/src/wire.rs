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
    /// Whether it is a binary message, and not a control frame.
    pub binary: bool,
}

impl Piece {
    /// The application's bytes, without the mask that agents must put over them.
    pub fn message(&self) -> Vec<u8> {
        let masked = self.raw.get(self.start..).unwrap_or_default();
        masked.iter().zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }

    /// Flips one bit of the application's byte `from_end` places before the end.
    pub fn flip(&mut self, from_end: usize) {
        let place = self.raw.len().checked_sub(from_end + 1);
        if let Some(byte) = place.and_then(|place| self.raw.get_mut(place)) {
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
        Some((len, Piece { raw: Vec::new(), start: len, mask: [0; 4], binary: false }))
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
        let piece = Piece { raw: Vec::new(), start, mask, binary: kind & 0x0f == 2 };
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
    fn a_flip_changes_one_byte_under_the_mask() {
        let mut wire = Wire { upgraded: true, ..Wire::default() };
        wire.take(&[0x82, 0x83, 9, 9, 9, 9, 9, 9, 9]);
        let mut piece = wire.next_piece().unwrap();
        piece.flip(1);
        assert_eq!(piece.message(), [0, 1, 0]);
    }
}
