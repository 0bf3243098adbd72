//! Receipts: what a recipient says became of an envelope.

use dmr_core::codec;
use dmr_core::content::{Receipt, Receipts, Verdict};
use dmr_core::limit;
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

use super::argument::plain;
use super::boundary::{Failure, boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::id::dmr_reference;
use crate::CallError;

/// Most receipts in one message.
pub const DMR_RECEIPTS: usize = 64;

/// The recipient's service took it.
pub const DMR_VERDICT_DELIVERED: u32 = 0;
/// It will never be delivered; `reason` says why.
pub const DMR_VERDICT_FAILED: u32 = 1;
/// A person has seen it.
pub const DMR_VERDICT_READ: u32 = 2;

/// What a recipient says of one envelope.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_receipt {
    /// Which envelope.
    pub envelope: dmr_reference,
    /// `DMR_VERDICT_…`.
    pub verdict: u32,
    /// Why it failed: `DMR_FAILURE_…`; 0 for the other verdicts.
    pub reason: u16,
    /// When, by the recipient's clock, in milliseconds since 1970.
    pub at_ms: u64,
}

plain!(dmr_receipt);

const _: () = assert!(DMR_RECEIPTS == limit::RECEIPTS);

fn read(receipt: &dmr_receipt) -> Result<Receipt, Failure> {
    let verdict = match receipt.verdict {
        DMR_VERDICT_DELIVERED => Verdict::Delivered,
        DMR_VERDICT_FAILED => Verdict::Failed(FailureReason::from_number(receipt.reason)),
        DMR_VERDICT_READ => Verdict::Read,
        other => return Err(CallError::OutOfRange { argument: "verdict", value: other.into() }.into()),
    };
    Ok(Receipt { envelope: receipt.envelope.try_into()?, verdict, at: Timestamp(receipt.at_ms) })
}

/// The body of a receipt message: to be sealed to the sender of the envelopes, as kind `DMR_KIND_RECEIPT` and content
/// type `DMR_RECEIPTS_TYPE`. Owed for every envelope that was settled and whose sender is known, save for receipts
/// and controls.
///
/// `receipts`, `count`: 1 to 64. `body`: to be freed with `dmr_bytes_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_receipts_encode(
    receipts: *const dmr_receipt,
    count: usize,
    body: *mut dmr_bytes,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let body = caller.out(body, "body")?;
            let receipts = caller.many(receipts, count, DMR_RECEIPTS, "receipts")?;
            if receipts.is_empty() {
                return Err(CallError::OutOfRange { argument: "count", value: 0 }.into());
            }
            let receipts = Receipts::V1(receipts.iter().map(read).collect::<Result<_, _>>()?);
            body.put(dmr_bytes::copy_of(&codec::encode(&receipts)?));
            Ok(())
        })
    }
}

/// The receipts in the body of a receipt message that was opened. They speak for its sender alone.
///
/// `body`, `len`: as opened. `receipts`: room for 64, of which the first `*count` are written and the rest zeros.
/// `count`: how many there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_receipts_decode(
    body: *const u8,
    len: usize,
    receipts: *mut dmr_receipt,
    count: *mut usize,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            // Both are zeros after a failure, and after that of the other being null too.
            let place = caller.out(receipts.cast::<[dmr_receipt; DMR_RECEIPTS]>(), "receipts");
            let (count, place) = (caller.out(count, "count")?, place?);
            let read = Receipts::decode(caller.bytes(body, len, "body")?)?;
            let none = dmr_reference { id: super::dmr_id::NONE, digest: super::dmr_digest { bytes: [0; 32] } };
            let mut written = [dmr_receipt { envelope: none, verdict: 0, reason: 0, at_ms: 0 }; DMR_RECEIPTS];
            for (to, from) in written.iter_mut().zip(&read) {
                let (verdict, reason) = match from.verdict {
                    Verdict::Failed(reason) => (DMR_VERDICT_FAILED, reason.number()),
                    Verdict::Read => (DMR_VERDICT_READ, 0),
                    _ => (DMR_VERDICT_DELIVERED, 0),
                };
                *to = dmr_receipt { envelope: from.envelope.into(), verdict, reason, at_ms: from.at.0 };
            }
            place.put(written);
            count.put(read.len());
            Ok(())
        })
    }
}
