//! A push as one log record: version, the distinct trace ids, then blocks.

use std::collections::HashMap;
use std::sync::Arc;

use codec::{CodecError, Cursor, write_bytes, write_uvarint};
use model::span::{Span, TraceId};

use crate::block::{self, BlockBudget, BlockBytes, Core, Row};

const VERSION: u8 = 1;

pub(crate) fn encode(spans: &[Arc<Span>]) -> Vec<u8> {
    let mut ids: Vec<TraceId> = Vec::new();
    let mut numbers: HashMap<TraceId, u64> = HashMap::new();
    for span in spans {
        numbers.entry(span.trace_id).or_insert_with(|| {
            ids.push(span.trace_id);
            ids.len() as u64 - 1
        });
    }
    let mut out = vec![VERSION];
    write_uvarint(&mut out, ids.len() as u64);
    ids.iter().for_each(|id| out.extend_from_slice(&id.0));

    let mut rest = spans;
    while !rest.is_empty() {
        let mut budget = BlockBudget::default();
        let count = rest.iter().take_while(|span| budget.admit(span)).count();
        let (block, tail) = rest.split_at(count);
        rest = tail;
        let traces: Vec<u64> = block.iter().map(|span| numbers[&span.trace_id]).collect();
        let rows: Vec<Row> =
            block.iter().map(|span| Row { span: span.clone(), parent_service: None }).collect();
        let pages = block::encode(&rows, &traces);
        for page in [pages.core, pages.ids, pages.context, pages.attributes, pages.events] {
            write_bytes(&mut out, &page);
        }
    }
    out
}

pub(crate) fn decode(record: &[u8]) -> Result<Vec<Arc<Span>>, CodecError> {
    let mut cursor = Cursor::new(record);
    if cursor.u8()? != VERSION {
        return Err(CodecError("trace record: unknown version"));
    }
    let count = cursor.count(16)?;
    let ids = (0..count).map(|_| cursor.array().map(TraceId)).collect::<Result<Vec<_>, _>>()?;
    let mut spans = Vec::new();
    while !cursor.is_empty() {
        let core = Core::decode(cursor.bytes()?)?;
        if core.traces.iter().any(|number| *number >= ids.len() as u64) {
            return Err(CodecError("trace record: unknown trace"));
        }
        let pages = BlockBytes {
            ids: cursor.bytes()?,
            context: cursor.bytes()?,
            attributes: cursor.bytes()?,
            events: cursor.bytes()?,
        };
        let wanted = vec![true; core.rows()];
        let rows = block::read_rows(&pages, &core, &wanted, |row| ids[core.traces[row] as usize])?;
        spans.extend(rows.into_iter().map(|row| row.span));
    }
    Ok(spans)
}
