//! One YAML mapping read by several types.
//!
//! Prometheus' sections inline others: a scrape configuration holds the HTTP client's keys and the lists
//! of service discovery beside its own. Serde's `flatten` would buffer the mapping and lose line numbers
//! and scalar types; instead each type takes the keys it knows, and what nobody takes is an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// A set of keys.
pub trait Section: Default {
    /// Reads the value if `key` is one of this section's; `false` leaves it to another section.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// Reads a mapping all of whose keys belong to `S`.
pub fn deserialize<'de, D: Deserializer<'de>, S: Section>(deserializer: D) -> Result<S, D::Error> {
    deserializer.deserialize_option(SectionVisitor(PhantomData))
}

struct SectionVisitor<S>(PhantomData<S>);

impl<'de, S: Section> Visitor<'de> for SectionVisitor<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S, A::Error> {
        let mut section = S::default();
        while let Some(key) = map.next_key::<String>()? {
            if !section.take(&key, &mut map)? {
                return Err(refuse(&mut map, format!("unknown field `{key}`")));
            }
        }
        Ok(section)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<S, D::Error> {
        deserializer.deserialize_map(self)
    }

    /// A key without a value is an empty section.
    fn visit_none<E: Error>(self) -> Result<S, E> {
        Ok(S::default())
    }

    fn visit_unit<E: Error>(self) -> Result<S, E> {
        Ok(S::default())
    }
}

/// An error placed at the value that comes next, so that its line is the key's and not the mapping's.
pub fn refuse<'de, A: MapAccess<'de>>(map: &mut A, message: String) -> A::Error {
    match map.next_value_seed(Refusal(&message)) {
        Err(e) => e,
        Ok(()) => A::Error::custom(message),
    }
}

struct Refusal<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Refusal<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom(self.0))
    }
}

/// Implements [`Section`] and `Deserialize` for a struct: its fields are the keys, and the fields named
/// after `inline` are sections of their own.
#[macro_export]
macro_rules! section {
    ($type:ident { $($field:ident),* $(,)? } $(inline { $($inline:ident),* $(,)? })?) => {
        impl $crate::section::Section for $type {
            fn take<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                match key {
                    $(stringify!($field) => self.$field = map.next_value()?,)*
                    _ => {
                        $($(if $crate::section::Section::take(&mut self.$inline, key, map)? {
                            return Ok(true);
                        })*)?
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::section::deserialize(deserializer)
            }
        }
    };
}
