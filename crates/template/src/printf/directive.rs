//! Format strings: flags, width, precision, argument indexes.

use super::print::{Flags, Printer};
use crate::value::Value;

/// Widths, precisions and argument numbers beyond this are refused, as `fmt` does.
const NUMBER_MAX: i64 = 1_000_000;

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, args: &[Value]) -> String {
    let mut state = State { rest: format, args, next: 0, reordered: false, good_index: true };
    let mut printer = Printer::default();
    while let Some(at) = state.rest.find('%') {
        printer.out.push_str(&state.rest[..at]);
        state.rest = &state.rest[at + 1..];
        if !state.directive(&mut printer) {
            break;
        }
    }
    printer.out.push_str(state.rest);
    if !state.reordered
        && let Some(extra) = args.get(state.next..).filter(|extra| !extra.is_empty())
    {
        printer.flags = Flags::default();
        printer.out.push_str("%!(EXTRA ");
        for (i, arg) in extra.iter().enumerate() {
            printer.out.push_str(if i > 0 { ", " } else { "" });
            if !matches!(arg, Value::Nil) {
                printer.out.push_str(arg.type_name());
                printer.out.push('=');
            }
            printer.value(arg, 'v');
        }
        printer.out.push(')');
    }
    printer.out
}

struct State<'a> {
    /// What follows the part that was read.
    rest: &'a str,
    args: &'a [Value],
    /// The argument the next verb takes.
    next: usize,
    /// An explicit index was used, so arguments left over are no mistake.
    reordered: bool,
    good_index: bool,
}

impl<'a> State<'a> {
    fn byte(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let hit = self.byte() == Some(byte);
        if hit {
            self.rest = &self.rest[1..];
        }
        hit
    }

    /// Reads what follows a percent sign and prints the argument; false at the end of the format.
    fn directive(&mut self, printer: &mut Printer) -> bool {
        self.good_index = true;
        let mut flags = Flags::default();
        while let Some(flag) = self.byte() {
            match flag {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        let mut after_index = self.index();
        if self.eat(b'*') {
            flags.width = self.star();
            match flags.width {
                None => printer.out.push_str("%!(BADWIDTH)"),
                Some(width) if width < 0 => {
                    flags.width = Some(-width);
                    flags.minus = true;
                    flags.zero = false;
                }
                Some(_) => {}
            }
            after_index = false;
        } else {
            flags.width = self.number();
            self.good_index &= !(after_index && flags.width.is_some());
        }
        if self.rest.len() > 1 && self.eat(b'.') {
            self.good_index &= !after_index;
            after_index = self.index();
            if self.eat(b'*') {
                flags.precision = self.star().filter(|n| *n >= 0);
                if flags.precision.is_none() {
                    printer.out.push_str("%!(BADPREC)");
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            printer.out.push_str("%!(NOVERB)");
            return false;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        printer.flags = flags;
        match self.args.get(self.next) {
            _ if verb == '%' => printer.out.push('%'),
            _ if !self.good_index => printer.out.push_str(&format!("%!{verb}(BADINDEX)")),
            None => printer.out.push_str(&format!("%!{verb}(MISSING)")),
            Some(arg) => {
                self.next += 1;
                printer.argument(arg, verb);
            }
        }
        true
    }

    /// `[n]` chooses the argument to use next; says whether one was chosen.
    fn index(&mut self) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        // Three bytes are the least an index has; without its end only the bracket is skipped.
        let Some(end) = self.rest.find(']').filter(|_| self.rest.len() >= 3) else {
            self.good_index = false;
            self.rest = &self.rest[1..];
            return false;
        };
        let text = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|n| digits && *n <= 10 * NUMBER_MAX);
        match number.and_then(|n| usize::try_from(n - 1).ok()).filter(|n| *n < self.args.len()) {
            Some(index) => {
                self.next = index;
                true
            }
            None => {
                self.good_index = false;
                number.is_some()
            }
        }
    }

    /// A width or precision taken from an argument.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let n = match arg {
            Value::Int(n) => *n,
            Value::Byte(n) => i64::from(*n),
            Value::Duration(d) => d.0,
            _ => return None,
        };
        (-NUMBER_MAX..=NUMBER_MAX).contains(&n).then_some(n)
    }

    fn number(&mut self) -> Option<i64> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let mut number = 0i64;
        for digit in self.rest[..digits].bytes() {
            if number > NUMBER_MAX {
                // So long a number swallows the rest of the format.
                self.rest = "";
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        self.rest = &self.rest[digits..];
        Some(number)
    }
}
