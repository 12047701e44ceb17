//! One YAML mapping read by several types.
//!
//! Prometheus' sections inline others: a scrape configuration holds the HTTP client's keys and the lists
//! of service discovery beside its own. Serde's `flatten` would buffer the mapping and lose line numbers
//! and scalar types; instead each type takes the keys it knows, and what nobody takes is an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A set of keys.
pub trait Section: Default {
    /// Reads the value if `key` is one of this section's; `false` leaves it to another section.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// Reads a mapping all of whose keys belong to `S`.
pub fn deserialize<'de, D: Deserializer<'de>, S: Section>(deserializer: D) -> Result<S, D::Error> {
    deserializer.deserialize_map(SectionVisitor(PhantomData))
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
                return Err(A::Error::custom(format!("unknown field `{key}`")));
            }
        }
        Ok(section)
    }

    fn visit_unit<E: Error>(self) -> Result<S, E> {
        Ok(S::default())
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
