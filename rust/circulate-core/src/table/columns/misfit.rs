//! What keeps a value out of a column.

use crate::table::json::ConversionError;
use crate::table::json::number::Unfit;

/// Why a column can't hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It is of another type, which begins with this byte.
    Type(u8),
    /// It is a number with a fraction or an exponent.
    NotWhole,
    /// It is a number too large or too close to zero.
    Range,
    /// It is a number with more digits than a float keeps.
    Digits,
    /// Microseconds can not hold it as a time.
    NotATime,
    /// It is a string that UTF-8 has no bytes for.
    NotUnicode,
}

impl From<Unfit> for Misfit {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Range => Self::Range,
            Unfit::Digits => Self::Digits,
        }
    }
}

/// Whether a value went into its column. If not, that has a null, and the value is to be rescued.
pub(super) type Fit = Result<Option<Misfit>, ConversionError>;
