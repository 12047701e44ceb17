//! IP patterns of `ip("…")`: one address, a range `a-b`, or a network in CIDR notation; versions 4 and 6.

use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpPattern {
    low: IpAddr,
    high: IpAddr,
}

impl IpPattern {
    /// The error is Loki's text.
    pub fn parse(text: &str) -> Result<IpPattern, String> {
        IpPattern::read(text.trim()).ok_or_else(|| format!("ip: invalid pattern: {text:?}"))
    }

    fn read(text: &str) -> Option<IpPattern> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(IpPattern { low: address, high: address });
        }
        if let Some((network, bits)) = text.split_once('/') {
            return IpPattern::network(network.parse().ok()?, bits.parse().ok()?);
        }
        let (low, high) = text.split_once('-')?;
        let (low, high): (IpAddr, IpAddr) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low.is_ipv4() == high.is_ipv4() && low <= high).then_some(IpPattern { low, high })
    }

    fn network(address: IpAddr, bits: u32) -> Option<IpPattern> {
        Some(match address {
            IpAddr::V4(v4) if bits <= 32 => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                let base = u32::from(v4) & !host;
                IpPattern { low: IpAddr::V4(base.into()), high: IpAddr::V4((base | host).into()) }
            }
            IpAddr::V6(v6) if bits <= 128 => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                let base = u128::from(v6) & !host;
                IpPattern { low: IpAddr::V6(base.into()), high: IpAddr::V6((base | host).into()) }
            }
            _ => return None,
        })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.low.is_ipv4() == address.is_ipv4() && self.low <= address && address <= self.high
    }

    /// Whether `text` as a whole is an address of this pattern.
    pub fn matches(&self, text: &str) -> bool {
        text.trim().parse().is_ok_and(|address| self.contains(address))
    }

    /// Whether an address of this pattern stands anywhere in `line`.
    pub fn found_in(&self, line: &str) -> bool {
        let v4 = self.low.is_ipv4();
        let part = |b: u8| {
            if v4 { b.is_ascii_digit() || b == b'.' } else { b.is_ascii_hexdigit() || b == b':' || b == b'.' }
        };
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !part(bytes[at]) {
                at += 1;
                continue;
            }
            let length = bytes[at..].iter().take_while(|b| part(**b)).count();
            // The run is ASCII, so these are character boundaries.
            let run = line[at..at + length].trim_matches('.');
            // `addr:port` ends the address of version 6 notation only by brackets, so the plain run decides.
            if run.len() >= 2 && self.matches(run) {
                return true;
            }
            at += length;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_values() {
        let check = |pattern: &str, line: &str, expected: bool| {
            assert_eq!(IpPattern::parse(pattern).unwrap().found_in(line), expected, "{pattern} in {line}");
        };
        check("192.168.0.1", "from 192.168.0.1:8080 ok", true);
        check("192.168.0.0/16", "from 192.168.4.2.", true);
        check("192.168.0.0/16", "from 10.0.0.1", false);
        check("10.0.0.1-10.0.0.9", "x 10.0.0.5 y", true);
        check("10.0.0.1-10.0.0.9", "x 10.0.0.10 y", false);
        check("2001:db8::/32", "client [2001:db8::1]:443", true);
        check("0.0.0.0/0", "version 1.2.3", false);
        assert!(IpPattern::parse("10.0.0").is_err());
        assert!(IpPattern::parse("10.0.0.0/33").is_err());
        assert!(IpPattern::parse("10.0.0.9-10.0.0.1").is_err());
    }
}
