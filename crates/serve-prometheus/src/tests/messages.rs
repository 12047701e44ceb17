//! Protobuf messages by hand, so that what is sent does not depend on the code under test.

pub fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

pub fn bytes(number: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&varint(number << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

pub fn uint(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

pub fn double(number: u64, value: f64) -> Vec<u8> {
    [&varint(number << 3 | 1)[..], &value.to_le_bytes()].concat()
}

pub fn snappy(message: impl AsRef<[u8]>) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message.as_ref()).unwrap()
}
