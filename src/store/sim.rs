//! A simulated disk that loses everything a real one may lose.
//!
//! What is written but not synced survives a crash in any part, sector by sector and in any order;
//! names that were not synced may be those of before or after. Errors, short writes and a full disk
//! come when asked for. All choices follow from a seed and the order of the operations.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, File};

/// What reaches the platter whole or not at all, in bytes.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// Handles of an earlier generation, from before a crash, are dead.
    generation: u64,
}

struct State {
    random: u64,
    generation: u64,
    crashed: bool,
    operations: u64,
    crash_at: Option<u64>,
    fail_at: Option<u64>,
    capacity: u64,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    unsynced_names: Vec<Naming>,
}

#[derive(Default)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

enum Fate {
    Done,
    Failure,
    Crash,
}

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

enum Naming {
    Create(String, u64),
    Rename(String, String),
    Remove(String),
}

impl SimDisk {
    /// An empty disk of 1 GiB; equal seeds make equal choices.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: seed,
            generation: 0,
            crashed: false,
            operations: 0,
            crash_at: None,
            fail_at: None,
            capacity: 1 << 30,
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), generation: 0 }
    }

    /// Loses power at the `n`th changing operation from now, 0 being the next.
    pub fn crash_after(&self, n: u64) {
        let mut state = self.state.lock();
        state.crash_at = Some(state.operations + n);
    }

    /// Answers the `n`th changing operation from now with an input/output error, 0 being the next.
    pub fn fail_after(&self, n: u64) {
        let mut state = self.state.lock();
        state.fail_at = Some(state.operations + n);
    }

    /// Changes the size of the disk, in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    /// Changing operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Loses power now, if it is not lost already, and comes up again with what survived. Faults
    /// that were asked for are forgotten.
    pub fn reboot(&self) -> Self {
        let mut state = self.state.lock();
        state.lose_power();
        state.generation += 1;
        (state.crashed, state.crash_at, state.fail_at) = (false, None, None);
        Self { state: Arc::clone(&self.state), generation: state.generation }
    }

    /// Flips bits of a file, as rot does. False where the file has no such place.
    pub fn damage(&self, name: &str, at: usize, bits: u8) -> bool {
        let mut state = self.state.lock();
        let Some(inode) = state.names.get(name).copied().and_then(|inode| state.inodes.get_mut(&inode))
        else {
            return false;
        };
        let Inode { content, durable, .. } = inode;
        let places = [content.get_mut(at), durable.get_mut(at)];
        places.into_iter().flatten().map(|byte| *byte ^= bits).count() > 0
    }

    /// The content of a file.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        Some(state.inodes.get(state.names.get(name)?)?.content.clone())
    }

    /// Carries a changing operation out, unless it is the one that fails.
    fn change<T>(&self, apply: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        match state.next(self.generation)? {
            Fate::Done => apply(&mut state),
            Fate::Failure => Err(io::Error::other("simulated input/output error")),
            Fate::Crash => {
                // What was begun may survive in part, like everything that is not synced.
                let _unknown = apply(&mut state);
                Err(io::Error::other("simulated loss of power"))
            }
        }
    }

    /// Carries a sync out, which does nothing when it fails.
    fn sync(&self, apply: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.next(self.generation)? {
            Fate::Done => apply(&mut state),
            Fate::Failure => return Err(io::Error::other("simulated error of a sync")),
            Fate::Crash => return Err(io::Error::other("simulated loss of power")),
        }
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let state = self.state.lock();
        state.alive(self.generation)?;
        look(&state)
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let there = self.look(|state| Ok(state.names.get(name).copied()))?;
        let inode = match there {
            Some(inode) => inode,
            None if create => self.change(|state| Ok(state.create(name)))?,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.look(|state| Ok(state.names.keys().cloned().collect()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|state| state.name(Naming::Rename(from.into(), to.into())))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|state| state.name(Naming::Remove(name.into())))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.sync(|state| {
            state.durable_names = state.names.clone();
            state.unsynced_names.clear();
        })
    }

    fn free(&self) -> io::Result<u64> {
        self.look(|state| Ok(state.capacity.saturating_sub(state.used())))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/simulated").join(name)
    }
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
}

impl File for SimFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut data: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.disk.change(|state| {
            if data.len() > 1 && state.chance(8) {
                let kept = 1 + state.below(data.len() as u64 - 1) as usize;
                data.truncate(kept);
            }
            let written = data.len();
            let end = at as usize + written;
            let grown = end.saturating_sub(state.inode(self.inode)?.content.len());
            state.reserve(grown as u64)?;
            let inode = state.inode(self.inode)?;
            overwrite(&mut inode.content, at as usize, &data);
            inode.unsynced.push(Change::Write(at as usize, data));
            Ok(written)
        })
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.disk.look(|state| {
            let inode = state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
            let there = inode.content.get(at as usize..).unwrap_or_default();
            let len = there.len().min(into.len());
            into[..len].copy_from_slice(&there[..len]);
            Ok(len)
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync(|state| {
            let Ok(inode) = state.inode(self.inode) else { return };
            for change in inode.unsynced.drain(..) {
                match change {
                    Change::Write(at, data) => overwrite(&mut inode.durable, at, &data),
                    Change::Resize(len) => inode.durable.resize(len, 0),
                }
            }
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.change(|state| {
            let grown = len.saturating_sub(state.inode(self.inode)?.content.len() as u64);
            state.reserve(grown)?;
            let inode = state.inode(self.inode)?;
            let len = inode.content.len().max(len as usize);
            inode.resize(len);
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.change(|state| {
            state.inode(self.inode)?.resize(len as usize);
            Ok(())
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.disk.look(|state| {
            Ok(state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?.content.len() as u64)
        })
    }
}

impl Inode {
    fn resize(&mut self, len: usize) {
        self.content.resize(len, 0);
        self.unsynced.push(Change::Resize(len));
    }
}

impl State {
    fn alive(&self, generation: u64) -> io::Result<()> {
        if self.crashed || self.generation != generation {
            return Err(io::Error::other("the simulated disk has no power"));
        }
        Ok(())
    }

    /// Decides what becomes of the next changing operation.
    fn next(&mut self, generation: u64) -> io::Result<Fate> {
        self.alive(generation)?;
        let operation = self.operations;
        self.operations += 1;
        if self.fail_at == Some(operation) {
            return Ok(Fate::Failure);
        }
        self.crashed = self.crash_at.is_some_and(|at| at <= operation);
        Ok(if self.crashed { Fate::Crash } else { Fate::Done })
    }

    fn inode(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(|i| i.content.len() as u64).sum()
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        if self.used() + bytes > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn create(&mut self, name: &str) -> u64 {
        let inode = self.inodes.last_key_value().map_or(1, |(last, _)| last + 1);
        self.inodes.insert(inode, Inode::default());
        self.names.insert(name.into(), inode);
        self.unsynced_names.push(Naming::Create(name.into(), inode));
        inode
    }

    fn name(&mut self, naming: Naming) -> io::Result<()> {
        if !apply(&mut self.names, &naming) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.unsynced_names.push(naming);
        Ok(())
    }

    fn lose_power(&mut self) {
        let namings = std::mem::take(&mut self.unsynced_names);
        let (kept, odds) = (self.below(namings.len() as u64 + 1) as usize, self.below(4));
        for (n, naming) in namings.iter().enumerate() {
            // Either the first few, as a journaling file system does it, or any of them.
            if if odds == 0 { self.chance(2) } else { n < kept } {
                apply(&mut self.durable_names, naming);
            }
        }
        self.names = self.durable_names.clone();
        let named: Vec<u64> = self.names.values().copied().collect();
        self.inodes.retain(|inode, _| named.contains(inode));
        let mut inodes = std::mem::take(&mut self.inodes);
        inodes.values_mut().for_each(|inode| self.tear(inode));
        self.inodes = inodes;
    }

    /// Lets a part of what was not synced survive.
    fn tear(&mut self, inode: &mut Inode) {
        let odds = self.below(4);
        for change in std::mem::take(&mut inode.unsynced) {
            match change {
                Change::Resize(len) => {
                    if odds != 0 && self.chance(2) {
                        inode.durable.resize(len, 0);
                    }
                }
                Change::Write(mut at, data) => {
                    let mut rest = data.as_slice();
                    while !rest.is_empty() {
                        let (sector, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                        if odds == 3 || (odds != 0 && self.chance(2)) {
                            overwrite(&mut inode.durable, at, sector);
                        }
                        (at, rest) = (at + sector.len(), later);
                    }
                }
            }
        }
        inode.content.clone_from(&inode.durable);
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Changes names; false where there is nothing to change.
fn apply(names: &mut BTreeMap<String, u64>, naming: &Naming) -> bool {
    match naming {
        Naming::Create(name, inode) => {
            names.insert(name.clone(), *inode);
            true
        }
        Naming::Rename(from, to) => {
            let Some(inode) = names.remove(from) else { return false };
            names.insert(to.clone(), inode);
            true
        }
        Naming::Remove(name) => names.remove(name).is_some(),
    }
}

fn overwrite(content: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_content_and_names_survive() {
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let file = disk.open("a", true).unwrap();
            crate::disk::write_all(file.as_ref(), &mut [IoSlice::new(&[1; 2000])], 0).unwrap();
            file.sync().unwrap();
            disk.sync_names().unwrap();
            crate::disk::write_all(file.as_ref(), &mut [IoSlice::new(&[2; 1000])], 2000).unwrap();
            let disk = disk.reboot();
            assert_eq!(disk.content("a").unwrap()[..2000], [1; 2000]);
            assert!(file.sync().is_err(), "a handle from before the crash");
        }
    }

    #[test]
    fn what_is_not_synced_may_be_lost_or_torn() {
        let outcomes = |name: &'static str| {
            (0..100).filter(move |seed| {
                let disk = SimDisk::new(*seed);
                let file = disk.open("a", true).unwrap();
                crate::disk::write_all(file.as_ref(), &mut [IoSlice::new(&[1; 4096])], 0).unwrap();
                let content = disk.reboot().content("a");
                match name {
                    "gone" => content.is_none(),
                    "whole" => content.is_some_and(|content| content == [1; 4096]),
                    _ => content.is_some_and(|c| c.contains(&1) && c != [1; 4096]),
                }
            })
        };
        assert!(["gone", "whole", "torn"].iter().all(|name| outcomes(name).next().is_some()));
    }
}
