//! `info`: labels of info metrics joined to the series they describe.

use eval::EvalError;
use promql_syntax::Call;

use crate::evaluator::Evaluator;
use crate::stream::Stream;

pub(super) fn call<'a>(_ev: &Evaluator<'a>, _call: &'a Call) -> Result<Stream<'a>, EvalError> {
    Err(EvalError::execution("info() is not supported yet"))
}
