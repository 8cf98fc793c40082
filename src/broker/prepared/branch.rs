//! Branches of global transactions until they are prepared.
//!
//! Several connections can take part in one branch, each with a part of its own: what a transaction manager
//! takes for one resource it joins. A connection's part is a transaction of its own until it ends it; then the
//! broker keeps it, and whichever connection prepares or commits the branch takes all parts as one. Where a
//! part is lost with its connection, the branch can only be rolled back.

use std::collections::BTreeMap;

use bytestring::ByteString;
use wharfmq_base::{Millis, RankedMutex, rank};
use wharfmq_core::{ConnId, Token};

use super::{XaError, Xid};
use crate::broker::flush::Flushed;
use crate::broker::tx::Transaction;
use crate::broker::{Broker, Now, Port};

/// How a branch that is to be prepared stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It is prepared once that is confirmed.
    Prepared,
    /// There is nothing to be decided: it is over and forgotten.
    ReadOnly,
}

/// Whether a branch was prepared before it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// It is committed as it is.
    One,
    /// It was prepared.
    Two,
}

/// All branches that are not prepared.
#[derive(Debug, Default)]
pub(in crate::broker) struct Branches {
    table: RankedMutex<BTreeMap<Xid, Branch>, { rank::ADDRESS }>,
}

#[derive(Debug, Default)]
struct Branch {
    /// Connections whose parts are not ended.
    open: Vec<ConnId>,
    /// Those that are, in the order of that.
    ended: Vec<(ConnId, Transaction)>,
    /// A part has been lost.
    doomed: bool,
}

impl Branches {
    fn enter(&self, xid: &Xid, conn: ConnId) {
        let mut table = self.table.lock();
        let branch = table.entry(xid.clone()).or_default();
        if !branch.open.contains(&conn) {
            branch.open.push(conn);
        }
    }

    /// Gives the part back where the branch is over.
    fn end(&self, xid: &Xid, conn: ConnId, part: Transaction) -> Option<Transaction> {
        let mut table = self.table.lock();
        let branch = table.get_mut(xid).filter(|branch| branch.open.contains(&conn));
        let Some(branch) = branch else { return Some(part) };
        branch.open.retain(|open| *open != conn);
        branch.ended.push((conn, part));
        None
    }

    fn has_part(&self, xid: &Xid, conn: ConnId) -> bool {
        let table = self.table.lock();
        table.get(xid).is_some_and(|branch| branch.ended.iter().any(|(of, _)| *of == conn))
    }

    /// Takes a branch out, for a connection whose own part is open or not. `whole`: not while another's is.
    fn take(&self, xid: &Xid, conn: ConnId, whole: bool) -> Result<Branch, XaError> {
        let mut table = self.table.lock();
        let branch = table.get(xid).ok_or(XaError::Unknown)?;
        if whole && branch.open.iter().any(|open| *open != conn) {
            return Err(XaError::Open);
        }
        table.remove(xid).ok_or(XaError::Unknown)
    }

    /// Takes out the parts of a connection. What others have done is lost with it.
    fn leave(&self, xid: &Xid, conn: ConnId) -> Vec<Transaction> {
        let mut table = self.table.lock();
        let Some(branch) = table.get_mut(xid) else { return Vec::new() };
        let parts = branch.open.len() + branch.ended.len();
        branch.open.retain(|open| *open != conn);
        let lost = branch.ended.extract_if(.., |(of, _)| *of == conn).map(|(_, part)| part).collect();
        // The branch may be another one of the same name by now, of others.
        branch.doomed |= branch.open.len() + branch.ended.len() < parts;
        if branch.open.is_empty() && branch.ended.is_empty() {
            table.remove(xid);
        }
        lost
    }
}

impl Port {
    /// Takes part in a branch, again where it did before. Answers the name of the connection's part among
    /// its transactions, for [`Port::publish_in`] and [`Port::settle_in`].
    pub fn begin_branch(&mut self, xid: &Xid) -> Result<ByteString, XaError> {
        let name = xid.queue_name();
        if self.transactions.has(&name) {
            return Ok(name);
        }
        if self.broker.prepared.knows(xid) {
            return Err(XaError::Exists);
        }
        let (branches, conn) = (&self.broker.branches, self.outbox.conn);
        self.transactions.ended().retain(|(of, _)| branches.has_part(of, conn));
        self.begin(&name)?;
        self.transactions.get(&name, self.broker.tx_limits)?.branch = Some(Box::new(xid.clone()));
        self.broker.branches.enter(xid, self.conn());
        Ok(name)
    }

    /// Ends the connection's part in a branch, for good or until [`Port::begin_branch`]: from now on any
    /// connection can prepare or commit it.
    pub fn end_branch(&mut self, xid: &Xid) -> Result<(), XaError> {
        let part = self.transactions.take(&xid.queue_name(), self.broker.tx_limits)?;
        if let Some(part) = self.broker.branches.end(xid, self.conn(), part) {
            self.broker.unstage(&part.settles, self.now);
            return Err(XaError::RolledBack);
        }
        let now = self.now.mono;
        let ended = self.transactions.ended();
        if !ended.iter().any(|(of, _)| of == xid) {
            ended.push((xid.clone(), now));
        }
        Ok(())
    }

    /// Prepares a branch; see [`Port::prepare`]. Where that fails, it is rolled back.
    pub fn prepare_branch(&mut self, xid: &Xid, confirm: Option<Token>) -> Result<Vote, XaError> {
        let transaction = self.take_branch(xid)?;
        if transaction.doomed {
            self.broker.unstage(&transaction.settles, self.now);
            return Err(XaError::RolledBack);
        }
        if transaction.is_empty() {
            return Ok(Vote::ReadOnly);
        }
        self.prepare_taken(transaction, xid, confirm)?;
        Ok(Vote::Prepared)
    }

    /// Commits a branch; see [`Port::commit_prepared`].
    pub fn commit_branch(
        &mut self,
        xid: &Xid,
        phases: Phases,
        confirm: Option<Token>,
    ) -> Result<(), XaError> {
        if self.broker.prepared.knows(xid) {
            return self.commit_prepared(xid, confirm);
        }
        if phases == Phases::Two && self.broker.branches.table.lock().contains_key(xid) {
            return Err(XaError::NotPrepared);
        }
        let transaction = self.take_branch(xid)?;
        self.commit_taken(transaction, confirm).map_err(|_| XaError::RolledBack)
    }

    /// Rolls a branch back, prepared or not.
    pub fn rollback_branch(&mut self, xid: &Xid, confirm: Option<Token>) -> Result<(), XaError> {
        if self.broker.prepared.knows(xid) {
            return self.rollback_prepared(xid, confirm);
        }
        let own = self.take_own(xid);
        let branch = self.broker.branches.take(xid, self.conn(), false);
        for part in own.into_iter().chain(branch?.ended.into_iter().map(|(_, part)| part)) {
            self.broker.unstage(&part.settles, self.now);
        }
        self.answer(Flushed::default(), confirm);
        Ok(())
    }

    /// All parts of a branch as one transaction, out of the tables.
    fn take_branch(&mut self, xid: &Xid) -> Result<Transaction, XaError> {
        let branch = self.broker.branches.take(xid, self.conn(), true);
        if let Err(XaError::Unknown) = branch
            && let Some(part) = self.take_own(xid)
        {
            // Another connection has rolled the branch back meanwhile.
            self.broker.unstage(&part.settles, self.now);
            return Err(XaError::RolledBack);
        }
        let branch = branch?;
        let doomed = branch.doomed;
        let parts = branch.ended.into_iter().map(|(_, part)| part);
        let parts = parts.chain(self.take_own(xid));
        let mut whole = parts.reduce(Transaction::followed_by).unwrap_or_default();
        whole.doomed |= doomed;
        whole.branch = None;
        Ok(whole)
    }

    fn take_own(&mut self, xid: &Xid) -> Option<Transaction> {
        self.transactions.ended().retain(|(of, _)| of != xid);
        self.transactions.take(&xid.queue_name(), self.broker.tx_limits).ok()
    }

    /// Has parts forgotten that this connection ended, by the time when it did.
    pub(in crate::broker) fn leave_ended(&mut self, goes: impl Fn(Millis) -> bool) {
        if !self.transactions.is_used() {
            return;
        }
        let left: Vec<(Xid, Millis)> =
            self.transactions.ended().extract_if(.., |(_, ended)| goes(*ended)).collect();
        for (xid, _) in left {
            self.broker.leave_branch(&xid, self.conn(), self.now);
        }
    }
}

impl Broker {
    /// A connection's part in a branch is lost.
    pub(in crate::broker) fn leave_branch(&self, xid: &Xid, conn: ConnId, now: Now) {
        for part in self.branches.leave(xid, conn) {
            self.unstage(&part.settles, now);
        }
    }
}
