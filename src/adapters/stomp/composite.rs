//! SEND to what is not one destination by a name that all know: several at once, temporary ones.

use std::sync::Arc;

use smallvec::SmallVec;
use wharfmq_core::{Address, Item};

use super::Open;
use super::elements::{self, Elements};
use super::fault::Stop;
use super::receipts::SILENT;
use super::send::Sent;
use crate::adapters::convert;
use crate::broker::undertaker::note;
use crate::broker::{Port, Route};

/// Where the copies of one SEND go, each once.
pub(super) type Routes = SmallVec<[Arc<Route>; 2]>;

impl Open {
    /// Where a SEND goes. Where that is to several destinations its head, to which this adds, says so.
    /// One element that is wrong refuses all.
    pub(super) fn resolve(&mut self, destination: &str, port: &mut Port) -> Result<Routes, Stop> {
        let mut addresses: SmallVec<[Arc<Address>; 2]> = SmallVec::new();
        for element in Elements::read(destination)?.list {
            let address = element.to_send(port)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.len() > 1 {
            let all = elements::as_list(&addresses);
            convert::put_header(&mut self.raw, note::ORIGINAL_DESTINATION, &[&all]);
        }
        addresses.iter().map(|address| Ok(port.route(address)?)).collect()
    }

    /// Stages one copy for each destination, with one receipt for all.
    pub(super) fn stage_each(
        &mut self,
        routes: &Routes,
        item: Item,
        start: usize,
        sent: &Sent<'_>,
        port: &mut Port,
    ) -> Result<(), Stop> {
        if let Some(name) = &sent.transaction {
            for route in routes {
                port.publish_in(name, route, item, None, &self.raw)?;
            }
            self.raw.truncate(start);
            self.promise_receipt(sent.receipt.as_deref(), port);
            return Ok(());
        }
        let Some((last, others)) = routes.split_last() else { return Ok(()) };
        for route in others {
            port.publish(route, item, Some(SILENT));
        }
        let token = sent.receipt.as_ref().map_or(SILENT, |id| self.receipts.push(id));
        port.publish(last, item, Some(token));
        Ok(())
    }
}
