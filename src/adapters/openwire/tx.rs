//! TransactionInfo: local transactions and the branches of distributed ones.

use bytestring::ByteString;
use wharfmq_openwire::{TransactionId, TransactionInfo};

use super::Open;
use super::fault::Stop;
use super::replies::Reply;
use crate::broker::Port;

/// Steps, by their numbers.
const BEGIN: i8 = 0;
const COMMIT_ONE_PHASE: i8 = 2;
const ROLLBACK: i8 = 4;
const END: i8 = 7;

/// A transaction of this connection.
struct Transaction {
    id: TransactionId,
    /// What its acknowledgements are marked with.
    number: u32,
    name: ByteString,
    /// Consumers whose deliveries it has acknowledged.
    touched: Vec<u32>,
    /// Why it can only be rolled back.
    spoiled: bool,
}

/// The transactions that are open.
#[derive(Default)]
pub(super) struct Transactions {
    open: Vec<Transaction>,
    next: u32,
}

impl Transactions {
    fn find(&self, id: &TransactionId) -> Result<&Transaction, Stop> {
        let found = self.open.iter().find(|transaction| transaction.id == *id);
        found.ok_or_else(|| Stop::jms("Transaction has not been started."))
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
        let Some(transaction) = self.open.iter_mut().find(|transaction| transaction.number == number) else {
            return ByteString::new();
        };
        if !transaction.touched.contains(&consumer) {
            transaction.touched.push(consumer);
        }
        transaction.name.clone()
    }

    /// A send of it has failed. Where nobody was told, a commit must not succeed.
    pub(super) fn spoil(&mut self, id: &TransactionId, was_told: bool) {
        if let Some(transaction) = self.open.iter_mut().find(|transaction| transaction.id == *id) {
            transaction.spoiled |= !was_told;
        }
    }

    fn take(&mut self, id: &TransactionId) -> Result<Transaction, Stop> {
        let at = self.open.iter().position(|transaction| transaction.id == *id);
        let at = at.ok_or_else(|| Stop::jms("Transaction has not been started."))?;
        Ok(self.open.swap_remove(at))
    }
}

impl Open {
    pub(super) fn on_transaction(
        &mut self,
        info: &TransactionInfo,
        port: &mut Port,
    ) -> Result<Option<Reply>, Stop> {
        self.check_client()?;
        let reply = info.response_required.then_some(Reply::Response(info.command_id));
        let id = info.transaction_id.as_deref().ok_or_else(|| Stop::jms("no transaction id"))?;
        match info.operation {
            BEGIN => self.begin(id, port)?,
            COMMIT_ONE_PHASE => return self.commit(id, info.command_id, port),
            ROLLBACK => self.roll_back(id, port)?,
            END => {}
            other => return Err(Stop::jms(format!("transactions have no step {other}"))),
        }
        Ok(reply)
    }

    fn begin(&mut self, id: &TransactionId, port: &mut Port) -> Result<(), Stop> {
        if self.transactions.find(id).is_ok() {
            return Ok(());
        }
        self.transactions.next = self.transactions.next.wrapping_add(1).max(1);
        let number = self.transactions.next;
        let name = ByteString::from(number.to_string());
        port.begin(&name)?;
        self.transactions.open.push(Transaction {
            id: id.clone(),
            number,
            name,
            touched: Vec::new(),
            spoiled: false,
        });
        Ok(())
    }

    fn commit(&mut self, id: &TransactionId, command: i32, port: &mut Port) -> Result<Option<Reply>, Stop> {
        // What was sent before takes effect before; where it has to wait, this waits too.
        self.flush(port);
        if !port.is_flushed() {
            return Err(Stop::Later);
        }
        if self.transactions.find(id)?.spoiled {
            self.roll_back(id, port)?;
            let why = "a message of the transaction was refused: the transaction was rolled back";
            return Err(Stop::fault("javax.jms.TransactionRolledBackException", why));
        }
        let transaction = self.transactions.take(id)?;
        let token = self.replies.push(Reply::Response(command));
        if let Err(error) = port.commit(&transaction.name, Some(token)) {
            self.replies.unpush();
            self.give_back(&transaction);
            return Err(error.into());
        }
        for tag in &transaction.touched {
            if let Some(consumer) = self.consumers.get_mut(*tag) {
                consumer.flights.commit(transaction.number);
            }
        }
        Ok(None)
    }

    fn roll_back(&mut self, id: &TransactionId, port: &mut Port) -> Result<(), Stop> {
        let transaction = self.transactions.take(id)?;
        port.abort(&transaction.name)?;
        self.give_back(&transaction);
        Ok(())
    }

    /// What a transaction had acknowledged is the client's again: it will deliver it once more itself. The
    /// room that was made for it stays, so that a small prefetch does not stop a client for good.
    fn give_back(&mut self, transaction: &Transaction) {
        for tag in &transaction.touched {
            if let Some(consumer) = self.consumers.get_mut(*tag) {
                let count = consumer.flights.roll_back(transaction.number);
                consumer.debt = consumer.debt.saturating_add(count);
            }
        }
    }
}
