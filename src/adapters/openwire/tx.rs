//! TransactionInfo: the transactions of a connection. Those of transaction managers are in `xa`.

use bytestring::ByteString;
use wharfmq_openwire::{IntegerResponse, TransactionId, TransactionInfo};

use super::consumers::Source;
use super::fault::{Fault, ROLLED_BACK, Stop};
use super::replies::Reply;
use super::xa::{self, xid_of};
use super::{Open, consumers};
use crate::broker::{Port, Standing, TxError, Vote, Xid};

/// Steps, by their numbers.
const BEGIN: i8 = 0;
const PREPARE: i8 = 1;
const COMMIT_ONE_PHASE: i8 = 2;
const COMMIT_TWO_PHASE: i8 = 3;
const ROLLBACK: i8 = 4;
const RECOVER: i8 = 5;
const FORGET: i8 = 6;
const END: i8 = 7;

/// What a transaction manager is told where there is something to be decided.
const PREPARED: i32 = 0;
/// What it is told where there is not.
const READ_ONLY: i32 = 3;

/// A transaction of this connection, or its part in a branch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    /// What its acknowledgements are marked with.
    number: u32,
    name: ByteString,
    /// Consumers whose deliveries it has acknowledged.
    touched: Vec<u32>,
}

/// What a client waits for that has a transaction ended, or prepared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) command: i32,
    pub(super) wants: bool,
    pub(super) step: Step,
    /// `None` where it is another connection's.
    pub(super) transaction: Option<Transaction>,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Commit,
    Prepare,
    CommitBranch,
    CommitPrepared,
    RollBackBranch,
}

/// The transactions that are open, or whose end other connections can bring about.
#[derive(Default)]
pub(super) struct Transactions {
    list: Vec<Transaction>,
    next: u32,
}

impl Transactions {
    fn find(&self, id: &TransactionId) -> Result<&Transaction, Stop> {
        self.list.iter().find(|transaction| transaction.id == *id).ok_or_else(|| unknown(id))
    }

    pub(super) fn has(&self, id: &TransactionId) -> bool {
        self.find(id).is_ok()
    }

    /// What the broker calls a transaction.
    pub(super) fn name_of(&self, id: &TransactionId) -> Result<ByteString, Stop> {
        self.find(id).map(|transaction| transaction.name.clone())
    }

    /// What its acknowledgements are marked with.
    pub(super) fn number_of(&self, id: &TransactionId) -> Result<u32, Stop> {
        self.find(id).map(|transaction| transaction.number)
    }

    /// Notes that deliveries of a consumer are part of it. Answers what the broker calls it.
    pub(super) fn touch(&mut self, number: u32, consumer: u32) -> ByteString {
        let Some(transaction) = self.list.iter_mut().find(|transaction| transaction.number == number) else {
            return ByteString::new();
        };
        if !transaction.touched.contains(&consumer) {
            transaction.touched.push(consumer);
        }
        transaction.name.clone()
    }

    /// A number that no transaction has.
    pub(super) fn draw(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1).max(1);
        self.next
    }

    pub(super) fn add(&mut self, id: &TransactionId, number: u32, name: ByteString) {
        self.list.push(Transaction { id: id.compact(), number, name, touched: Vec::new() });
    }

    pub(super) fn put(&mut self, transaction: Transaction) {
        self.list.push(transaction);
    }

    pub(super) fn take(&mut self, id: &TransactionId) -> Option<Transaction> {
        let at = self.list.iter().position(|transaction| transaction.id == *id)?;
        Some(self.list.swap_remove(at))
    }

    /// Parts in branches, the latest last.
    pub(super) fn branches(&self) -> Vec<TransactionId> {
        let branches = self.list.iter().filter(|transaction| matches!(transaction.id, TransactionId::Xa(_)));
        branches.map(|transaction| transaction.id.clone()).collect()
    }
}

impl Open {
    /// Carries out a step; [`Stop::Later`] where it has to wait.
    pub(super) fn on_transaction(
        &mut self,
        info: &TransactionInfo,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        self.check_connection(info.connection_id.as_ref())?;
        // What was sent before takes effect before.
        self.flush(port);
        let (command, wants) = (info.command_id, info.response_required);
        let reply = wants.then_some(Reply::Response(command));
        if info.operation == RECOVER {
            self.recover(command, port);
            return Ok(None);
        }
        let id = info.transaction_id.as_deref().ok_or_else(|| Stop::jms("no transaction id"))?;
        let xid = match id {
            TransactionId::Xa(id) => Some(xid_of(id)?),
            TransactionId::Local(_) => None,
        };
        let ending = |step| Ending { command, wants, step, transaction: None };
        match (info.operation, &xid) {
            (BEGIN, None) => self.begin(id, port)?,
            (COMMIT_ONE_PHASE, None) => return self.commit(id, ending(Step::Commit), port),
            (ROLLBACK, None) => self.roll_back(id, port)?,
            (END, None) => {}
            (BEGIN, Some(xid)) => self.begin_branch(id, xid, port)?,
            (PREPARE, Some(xid)) => return self.prepare(id, xid, ending(Step::Prepare), port),
            (COMMIT_ONE_PHASE, Some(xid)) => {
                return self.end_for_good(id, xid, ending(Step::CommitBranch), port);
            }
            (COMMIT_TWO_PHASE, Some(xid)) => {
                return self.end_for_good(id, xid, ending(Step::CommitPrepared), port);
            }
            (ROLLBACK, Some(xid)) => {
                return self.end_for_good(id, xid, ending(Step::RollBackBranch), port);
            }
            (END, Some(xid)) => self.end_part(id, xid, port),
            (FORGET, Some(xid)) => return Err(xa::forget(xid, port)),
            (other, _) => return Err(Stop::jms(format!("the transaction knows no step {other}"))),
        }
        Ok(reply)
    }

    fn begin(&mut self, id: &TransactionId, port: &mut Port) -> Result<(), Stop> {
        if self.transactions.has(id) {
            return Ok(());
        }
        let number = self.transactions.draw();
        let name = ByteString::from(number.to_string());
        port.begin(&name)?;
        self.transactions.add(id, number, name);
        Ok(())
    }

    fn commit(&mut self, id: &TransactionId, ending: Ending, port: &mut Port) -> Result<Option<Reply>, Stop> {
        if !port.is_flushed() {
            return Err(Stop::Later);
        }
        let transaction = self.transactions.take(id).ok_or_else(|| unknown(id))?;
        let name = transaction.name.clone();
        let token = self
            .replies
            .push(Reply::Transaction(Box::new(Ending { transaction: Some(transaction), ..ending })));
        if let Err(error) = port.commit(&name, Some(token)) {
            if let Some(Reply::Transaction(ending)) = self.replies.unpush() {
                self.give_back(ending.transaction.as_ref());
            }
            return Err(error.into());
        }
        Ok(None)
    }

    fn roll_back(&mut self, id: &TransactionId, port: &mut Port) -> Result<(), Stop> {
        let transaction = self.transactions.take(id).ok_or_else(|| unknown(id))?;
        let aborted = port.abort(&transaction.name);
        self.give_back(Some(&transaction));
        match aborted {
            // While the broker stops it may have been forgotten already.
            Err(TxError::Unknown) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn prepare(
        &mut self,
        id: &TransactionId,
        xid: &Xid,
        ending: Ending,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        if !port.is_flushed() {
            return Err(Stop::Later);
        }
        let transaction = self.transactions.take(id);
        let (command, step) = (ending.command, ending.step);
        let token = self.replies.push(Reply::Transaction(Box::new(Ending { transaction, ..ending })));
        let vote = port.prepare_branch(xid, Some(token));
        if vote == Ok(Vote::Prepared) {
            return Ok(None);
        }
        let taken = self.replies.unpush();
        let Some(Reply::Transaction(ending)) = taken else { return Ok(None) };
        match vote {
            Ok(_) => {
                self.has_happened(ending.transaction.as_ref());
                let answer =
                    IntegerResponse { correlation_id: command, result: READ_ONLY, ..Default::default() };
                self.send(&answer, port);
                Ok(None)
            }
            Err(error) => Err(self.not_ended(ending.transaction, step, &error)),
        }
    }

    /// What was asked for is durable, or was refused.
    pub(super) fn transaction_ended(&mut self, ending: Ending, result: Result<(), String>, port: &mut Port) {
        let Ending { command, wants, step, transaction } = ending;
        match (result, step) {
            (Ok(()), Step::Prepare) => {
                // Its acknowledgements are decided with it.
                transaction.into_iter().for_each(|transaction| self.transactions.put(transaction));
                let result = PREPARED;
                let answer = IntegerResponse { correlation_id: command, result, ..Default::default() };
                self.send(&answer, port);
                return;
            }
            (Ok(()), Step::RollBackBranch) => self.give_back(transaction.as_ref()),
            (Ok(()), _) => self.has_happened(transaction.as_ref()),
            (Err(why), step) => {
                if step == Step::CommitPrepared {
                    transaction.into_iter().for_each(|transaction| self.transactions.put(transaction));
                } else {
                    self.give_back(transaction.as_ref());
                }
                let fault = match step {
                    Step::Commit => Fault::new(ROLLED_BACK, why),
                    _ => xa::refused(step, &why),
                };
                self.say_fault(&fault, wants.then_some(command), port);
                return;
            }
        }
        if wants {
            self.respond(command, port);
        }
    }

    /// A transaction was carried out: what it has acknowledged is over.
    pub(super) fn has_happened(&mut self, transaction: Option<&Transaction>) {
        let Some(transaction) = transaction else { return };
        for tag in &transaction.touched {
            if let Some(consumer) = self.consumers.get_mut(*tag) {
                self.effort += consumer.flights.len();
                self.consumers.flying -= consumer.flights.commit(transaction.number);
            }
        }
    }

    /// What a transaction had acknowledged is the client's again: it will deliver it once more itself. The
    /// room that was made for it stays, so that a small prefetch does not stop a client for good.
    pub(super) fn give_back(&mut self, transaction: Option<&Transaction>) {
        let Some(transaction) = transaction else { return };
        for tag in &transaction.touched {
            if let Some(consumer) = self.consumers.get_mut(*tag) {
                self.effort += consumer.flights.len();
                let count = consumer.flights.roll_back(transaction.number);
                consumer.debt = consumer.debt.saturating_add(count);
            }
        }
    }

    /// How the deliveries of a transaction stand with their queues: they share one fate. `None` where it has
    /// none that is stored.
    pub(super) fn standing(&mut self, id: &TransactionId, port: &Port) -> Option<Standing> {
        let transaction = self.transactions.find(id).ok()?;
        let (number, touched) = (transaction.number, transaction.touched.clone());
        touched.iter().find_map(|tag| standing_with(self.consumers.get_mut(*tag)?, number, port))
    }
}

fn standing_with(consumer: &mut consumers::Consumer, number: u32, port: &Port) -> Option<Standing> {
    let staged: Vec<(u32, u64)> = consumer.flights.staged(number).collect();
    staged.into_iter().find_map(|(part, tag)| match &consumer.part_mut(part)?.source {
        Source::Queue(held, _) => Some(port.standing(held, tag)),
        Source::Topics(_) => None,
    })
}

/// The words are ActiveMQ's.
fn unknown(id: &TransactionId) -> Stop {
    match id {
        TransactionId::Local(id) => {
            let connection = id.connection_id.as_ref().map(|id| super::id_text(id)).unwrap_or_default();
            Stop::jms(format!("Transaction 'TX:{connection}:{}' has not been started.", id.value))
        }
        TransactionId::Xa(_) => xa::not_started(),
    }
}
