//! How a section of the file is declared: keys with type and default, and keys that are only known.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

/// A key that is accepted whatever it holds and means nothing here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ignored, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty = $default:expr),* $(,)? }
        ignored { $($ignored:ident),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(pub $field: $type,)*
            $(#[serde(skip_serializing)] $ignored: Ignored,)*
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default,)* $($ignored: Ignored,)* }
            }
        }
    };
}

pub(crate) use section;
