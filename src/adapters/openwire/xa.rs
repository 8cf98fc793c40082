//! Branches of the transactions of transaction managers.
//!
//! Their failures have numbers, which clients read from the end of an exception's text.

use bytes::Bytes;
use wharfmq_openwire::{DataArrayResponse, Structure, TransactionId, XATransactionId};

use super::Open;
use super::fault::{Fault, Stop, XA};
use super::replies::Reply;
use super::tx::{Ending, Step, Transaction};
use crate::broker::{Phases, Port, Standing, TxError, XaError, Xid};

/// The branch was rolled back.
const ROLLED_BACK: i32 = 100;
/// The branch was not committed and can be later.
const RETRY: i32 = 4;
/// The broker has failed to do it.
const RESOURCE_ERROR: i32 = -3;
/// There is no such branch.
const UNKNOWN: i32 = -4;
/// What a branch's name cannot be.
const INVALID: i32 = -5;
/// Not in this order.
const PROTOCOL: i32 = -6;
/// Not now.
const RESOURCE_FAILS: i32 = -7;
/// There is such a branch.
const DUPLICATE: i32 = -8;

impl Open {
    /// Begins a part in a branch, or goes on with it.
    pub(super) fn begin_branch(
        &mut self,
        id: &TransactionId,
        xid: &Xid,
        port: &mut Port,
    ) -> Result<(), Stop> {
        self.learn_ends(port);
        let name = port.begin_branch(xid).map_err(|error| match error {
            XaError::Exists => Stop::Fault(fault(&error, DUPLICATE)),
            XaError::Transaction(error) => error.into(),
            error => Stop::Fault(fault(&error, RESOURCE_ERROR)),
        })?;
        if !self.transactions.has(id) {
            let number = self.transactions.draw();
            self.transactions.add(id, number, name);
        }
        Ok(())
    }

    /// Ends the connection's part in a branch: any connection can go on with it. Where that fails, whoever
    /// prepares or commits it is told.
    pub(super) fn end_part(&mut self, id: &TransactionId, xid: &Xid, port: &mut Port) {
        if port.end_branch(xid).is_err() {
            let lost = self.transactions.take(id);
            self.give_back(lost.as_ref());
        } else if self.standing(id, port).is_none() {
            // Nothing that could come back.
            let over = self.transactions.take(id);
            self.has_happened(over.as_ref());
        }
    }

    /// Commits a branch or rolls it back.
    pub(super) fn end_for_good(
        &mut self,
        id: &TransactionId,
        xid: &Xid,
        ending: Ending,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        if !port.is_flushed() {
            return Err(Stop::Later);
        }
        let step = ending.step;
        let transaction = self.transactions.take(id);
        let token = self.replies.push(Reply::Transaction(Box::new(Ending { transaction, ..ending })));
        let done = match step {
            Step::RollBackBranch => port.rollback_branch(xid, Some(token)),
            Step::CommitPrepared => port.commit_branch(xid, Phases::Two, Some(token)),
            _ => port.commit_branch(xid, Phases::One, Some(token)),
        };
        let Err(error) = done else { return Ok(None) };
        let Some(Reply::Transaction(ending)) = self.replies.unpush() else { return Ok(None) };
        Err(self.not_ended(ending.transaction, step, &error))
    }

    /// A step has failed at once.
    pub(super) fn not_ended(
        &mut self,
        transaction: Option<Transaction>,
        step: Step,
        error: &XaError,
    ) -> Stop {
        let over = match error {
            XaError::Unknown | XaError::RolledBack | XaError::Transaction(_) => true,
            XaError::TooMany | XaError::Refused(_) => step == Step::Prepare,
            _ => false,
        };
        if over {
            self.give_back(transaction.as_ref());
        } else {
            transaction.into_iter().for_each(|transaction| self.transactions.put(transaction));
        }
        let code = match error {
            XaError::Loading => return Stop::Later,
            XaError::Unknown | XaError::Transaction(TxError::Unknown) => UNKNOWN,
            XaError::RolledBack | XaError::Transaction(_) => ROLLED_BACK,
            XaError::Exists | XaError::Open | XaError::NotPrepared => PROTOCOL,
            XaError::Busy => RESOURCE_FAILS,
            XaError::TooMany => ROLLED_BACK,
            XaError::Refused(_) => code_of(step),
        };
        Stop::Fault(fault(error, code))
    }

    /// Other connections may have ended what this one has taken part in: what was acknowledged in it is over,
    /// or the client's again.
    fn learn_ends(&mut self, port: &Port) {
        for id in self.transactions.branches() {
            match self.standing(&id, port) {
                Some(Standing::Gone) => {
                    let over = self.transactions.take(&id);
                    self.has_happened(over.as_ref());
                }
                Some(Standing::Open) => {
                    let back = self.transactions.take(&id);
                    self.give_back(back.as_ref());
                }
                Some(Standing::Staged) | None => {}
            }
        }
    }

    /// Says which branches are prepared.
    pub(super) fn recover(&mut self, correlation_id: i32, port: &mut Port) {
        let data = port
            .prepared()
            .into_iter()
            .map(|xid| Some(Box::new(Structure::XATransactionId(Box::new(id_of(&xid))))));
        let answer =
            DataArrayResponse { correlation_id, data: Some(data.collect()), ..DataArrayResponse::default() };
        self.send(&answer, port);
    }
}

/// There is nothing that only a person can have decided.
pub(super) fn forget(xid: &Xid, port: &Port) -> Stop {
    if port.prepared().contains(xid) {
        return Stop::Fault(fault(&"the transaction is prepared and has to be ended", PROTOCOL));
    }
    not_started()
}

/// The words are ActiveMQ's.
pub(super) fn not_started() -> Stop {
    Stop::Fault(fault(&"Transaction has not been started.", UNKNOWN))
}

/// A step that was refused when its time came.
pub(super) fn refused(step: Step, why: &str) -> Fault {
    fault(&why, code_of(step))
}

/// What a refusal makes of a branch.
const fn code_of(step: Step) -> i32 {
    match step {
        Step::CommitPrepared => RETRY,
        Step::RollBackBranch => RESOURCE_ERROR,
        Step::Commit | Step::Prepare | Step::CommitBranch => ROLLED_BACK,
    }
}

fn fault(why: &impl ToString, code: i32) -> Fault {
    Fault::new(XA, format!("{} xaErrorCode:{code}", why.to_string()))
}

/// A branch's name as the broker has it.
pub(super) fn xid_of(id: &XATransactionId) -> Result<Xid, Stop> {
    let part = |part: &Option<Bytes>| part.clone().unwrap_or_default();
    let xid = Xid::new(id.format_id, part(&id.global_transaction_id), part(&id.branch_qualifier));
    xid.map_err(|error| Stop::Fault(fault(&error, INVALID)))
}

fn id_of(xid: &Xid) -> XATransactionId {
    XATransactionId {
        format_id: xid.format(),
        global_transaction_id: Some(xid.global().clone()),
        branch_qualifier: Some(xid.branch().clone()),
    }
}
