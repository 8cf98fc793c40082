//! Packet identifiers in use (2.2.1).

use crate::PacketId;

/// Up to this many identifiers are kept in a list, more in a set of bits.
const FEW: usize = 64;
const WORDS: usize = 65_536 / 64;

/// A set of packet identifiers: 24 bytes and no allocation while empty, two bytes an identifier while there are
/// few, 8 KiB while there are many.
///
/// Inbound it holds the QoS 2 identifiers that have been received and not yet released.
#[derive(Clone, Debug, Default)]
pub struct IdSet(Store);

#[derive(Clone, Debug)]
enum Store {
    Few(Vec<PacketId>),
    Many(Box<Bits>),
}

#[derive(Clone, Debug)]
struct Bits {
    words: [u64; WORDS],
    count: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl IdSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(Store::Few(Vec::new()))
    }

    /// Adds an identifier; false if it was there.
    pub fn insert(&mut self, id: PacketId) -> bool {
        match &mut self.0 {
            Store::Few(ids) => {
                if ids.contains(&id) {
                    return false;
                }
                if ids.len() < FEW {
                    ids.push(id);
                    return true;
                }
                let bits = Bits::from_ids(ids);
                self.0 = Store::Many(bits);
                self.insert(id)
            }
            Store::Many(bits) => bits.insert(id),
        }
    }

    /// Takes an identifier out; false if it was not there.
    pub fn remove(&mut self, id: PacketId) -> bool {
        match &mut self.0 {
            Store::Few(ids) => match ids.iter().position(|&found| found == id) {
                Some(at) => {
                    ids.swap_remove(at);
                    true
                }
                None => false,
            },
            Store::Many(bits) => {
                let removed = bits.remove(id);
                // Only when empty, so that a count around the border does not swap forms all the time.
                if bits.count == 0 {
                    self.0 = Store::default();
                }
                removed
            }
        }
    }

    /// Whether the identifier is in the set.
    #[must_use]
    pub fn contains(&self, id: PacketId) -> bool {
        match &self.0 {
            Store::Few(ids) => ids.contains(&id),
            Store::Many(bits) => bits.contains(id),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Store::Few(ids) => ids.len(),
            Store::Many(bits) => bits.count as usize,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties the set and gives its memory back.
    pub fn clear(&mut self) {
        self.0 = Store::default();
    }

    /// All identifiers, in no particular order: for the record of a session.
    pub fn iter(&self) -> impl Iterator<Item = PacketId> + '_ {
        let (few, many) = match &self.0 {
            Store::Few(ids) => (ids.as_slice(), None),
            Store::Many(bits) => (&[][..], Some(bits)),
        };
        let many = many
            .into_iter()
            .flat_map(|bits| (1..=u16::MAX).filter_map(PacketId::new).filter(|&id| bits.contains(id)));
        few.iter().copied().chain(many)
    }

    /// The first identifier from `from` on, in a circle, that is not in the set.
    fn first_free(&self, from: PacketId) -> Option<PacketId> {
        match &self.0 {
            // Among FEW + 1 identifiers in a row one is free.
            Store::Few(ids) => successors(from).take(FEW + 1).find(|id| !ids.contains(id)),
            Store::Many(bits) => bits.first_free(from),
        }
    }
}

impl FromIterator<PacketId> for IdSet {
    fn from_iter<I: IntoIterator<Item = PacketId>>(ids: I) -> Self {
        let mut set = Self::new();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

impl Bits {
    fn from_ids(ids: &[PacketId]) -> Box<Self> {
        let mut bits = Box::new(Self { words: [0; WORDS], count: 0 });
        for &id in ids {
            bits.insert(id);
        }
        bits
    }

    fn contains(&self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        self.words[word] & bit != 0
    }

    fn insert(&mut self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u32::from(new);
        new
    }

    fn remove(&mut self, id: PacketId) -> bool {
        let (word, bit) = place(id);
        let found = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        self.count -= u32::from(found);
        found
    }

    fn first_free(&self, from: PacketId) -> Option<PacketId> {
        let (start, bit) = place(from);
        // Bit 0 of word 0 stands for identifier 0, which is none: take it as used.
        let free = |word: usize| !self.words[word] & if word == 0 { !1 } else { !0 };
        let found = |word: usize, bits: u64| PacketId::new((word as u16) << 6 | bits.trailing_zeros() as u16);
        let not_before = free(start) & !(bit - 1);
        if not_before != 0 {
            return found(start, not_before);
        }
        let circle = (start + 1..WORDS).chain(0..=start);
        circle
            .map(|word| (word, free(word)))
            .find(|&(_, bits)| bits != 0)
            .and_then(|(word, bits)| found(word, bits))
    }
}

/// The word and the bit of an identifier; the word is always below [`WORDS`].
const fn place(id: PacketId) -> (usize, u64) {
    let id = id.get();
    ((id >> 6) as usize, 1 << (id & 63))
}

/// Identifiers from `from` on, 1 after 65,535.
fn successors(from: PacketId) -> impl Iterator<Item = PacketId> {
    std::iter::successors(Some(from), |&id| Some(after(id)))
}

const fn after(id: PacketId) -> PacketId {
    match id.checked_add(1) {
        Some(next) => next,
        None => PacketId::MIN,
    }
}

/// Gives out packet identifiers for what is sent, in a circle, each only when it is free (MQTT-2.2.1-3).
#[derive(Clone, Debug)]
pub struct PacketIds {
    used: IdSet,
    next: PacketId,
    limit: u16,
}

impl PacketIds {
    /// At most `limit` identifiers at a time.
    #[must_use]
    pub const fn new(limit: u16) -> Self {
        Self { used: IdSet::new(), next: PacketId::MIN, limit }
    }

    /// A free identifier, now in use; `None` if `limit` are in use.
    pub fn allocate(&mut self) -> Option<PacketId> {
        if self.used.len() >= usize::from(self.limit) {
            return None;
        }
        let id = self.used.first_free(self.next)?;
        self.used.insert(id);
        self.next = after(id);
        Some(id)
    }

    /// Marks an identifier of an earlier connection as in use; false if it was.
    pub fn reserve(&mut self, id: PacketId) -> bool {
        self.used.insert(id)
    }

    /// Frees an identifier; false if it was not in use, which is the peer's mistake.
    pub fn release(&mut self, id: PacketId) -> bool {
        self.used.remove(id)
    }

    /// Whether an identifier is in use.
    #[must_use]
    pub fn is_used(&self, id: PacketId) -> bool {
        self.used.contains(id)
    }

    /// How many are in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.len()
    }
}

impl Default for PacketIds {
    fn default() -> Self {
        Self::new(u16::MAX)
    }
}
