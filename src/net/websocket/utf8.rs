//! Whether bytes that come in pieces are UTF-8.

use std::io::IoSlice;
use std::str;

/// Checks pieces that may end within a character.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end is to come.
    held: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Whether everything up to the end of `bytes` can be the beginning of a text.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return true };
            bytes = rest;
            let Some(slot) = self.held.get_mut(self.len) else { return false };
            *slot = next;
            self.len += 1;
            match str::from_utf8(self.held.get(..self.len).unwrap_or_default()) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        let Err(error) = str::from_utf8(bytes) else { return true };
        if error.error_len().is_some() {
            return false;
        }
        for (slot, byte) in self.held.iter_mut().zip(bytes.get(error.valid_up_to()..).unwrap_or_default()) {
            *slot = *byte;
            self.len += 1;
        }
        true
    }

    /// Whether no character is left half.
    pub(super) const fn is_complete(&self) -> bool {
        self.len == 0
    }
}

/// How many bytes at the beginning of `slices` are whole characters, where all of them are text but for
/// the end of the last character; else `None`.
pub(super) fn text_len(slices: &[IoSlice<'_>]) -> Option<usize> {
    let mut utf8 = Utf8::default();
    let mut len = 0;
    for slice in slices {
        if !utf8.push(slice) {
            return None;
        }
        len += slice.len();
    }
    Some(len - utf8.len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_cut_of_a_text() {
        let text = "aé€𝄞z";
        for cut in 0..=text.len() {
            for second in cut..=text.len() {
                let mut utf8 = Utf8::default();
                let bytes = text.as_bytes();
                assert!(
                    utf8.push(&bytes[..cut]) && utf8.push(&bytes[cut..second]) && utf8.push(&bytes[second..])
                );
                assert!(utf8.is_complete());
            }
            let cut = text.as_bytes().split_at(cut);
            assert_eq!(text_len(&[IoSlice::new(cut.0), IoSlice::new(cut.1)]), Some(text.len()));
        }
        assert_eq!(text_len(&[IoSlice::new(b"a\xe2\x82")]), Some(1));
        assert_eq!(text_len(&[IoSlice::new(b"a\xe2"), IoSlice::new(b"a")]), None);
    }

    proptest! {
        #[test]
        fn as_the_whole(bytes: Vec<u8>, step in 1usize..5) {
            let mut utf8 = Utf8::default();
            let good = bytes.chunks(step).all(|piece| utf8.push(piece)) && utf8.is_complete();
            prop_assert_eq!(good, str::from_utf8(&bytes).is_ok());
        }
    }
}
