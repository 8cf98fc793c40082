//! Numbers, exact and approximate.

use std::cmp::Ordering;

/// A number. It stays exact as long as 64 bits hold it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

/// An operator between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Two to the power of 63, the first float above all integers.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

impl Number {
    /// The number that a property's text reads as: an optional sign, decimal digits with an optional
    /// point, an optional exponent. Not `inf`, not `nan`, no white space.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E');
        if !text.as_bytes().first().is_some_and(is_part) {
            return None;
        }
        if let Ok(int) = text.parse() {
            return Some(Self::Int(int));
        }
        if !text.as_bytes().iter().all(is_part) {
            return None;
        }
        text.parse().ok().filter(|float: &f64| float.is_finite()).map(Self::Float)
    }

    /// The order of two numbers by their exact values, so that equality is transitive; `None` with NaN.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(left, right),
            (Self::Float(left), Self::Int(right)) => compare_mixed(right, left).map(Ordering::reverse),
        }
    }

    /// This number with the other sign.
    pub(super) fn negate(self) -> Self {
        match self {
            Self::Int(int) => int.checked_neg().map_or(Self::Float(-(int as f64)), Self::Int),
            Self::Float(float) => Self::Float(-float),
        }
    }

    /// The result of an operator; `None` if integers are divided by zero.
    pub(super) fn apply(self, operator: Arithmetic, right: Self) -> Option<Self> {
        if let (Self::Int(left), Self::Int(right)) = (self, right) {
            let exact = match operator {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => left.checked_mul(right),
                Arithmetic::Divide | Arithmetic::Remainder if right == 0 => return None,
                Arithmetic::Divide => left.checked_div(right),
                Arithmetic::Remainder => left.checked_rem(right),
            };
            if exact.is_some() {
                return exact.map(Self::Int);
            }
        }
        let (left, right) = (self.float(), right.float());
        Some(Self::Float(match operator {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        }))
    }

    /// The integer it equals, if it equals one.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(int),
            Self::Float(float) if float.fract() == 0.0 && (-INT_END..INT_END).contains(&float) => {
                Some(float as i64)
            }
            Self::Float(_) => None,
        }
    }

    const fn float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }
}

/// Compares without rounding the integer, which a float holds only up to 53 bits.
fn compare_mixed(left: i64, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    if right >= INT_END {
        return Some(Ordering::Less);
    }
    if right < -INT_END {
        return Some(Ordering::Greater);
    }
    let whole = left.cmp(&(right.trunc() as i64));
    Some(whole.then_with(|| 0.0_f64.total_cmp(&(right.fract() + 0.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_as_decimal_numbers_only() {
        for (text, value) in [("7", 7.0), ("-7", -7.0), ("+7", 7.0), ("007", 7.0), ("7.", 7.0), (".5", 0.5)] {
            assert_eq!(Number::read(text).unwrap().float(), value, "{text}");
        }
        assert_eq!(Number::read("7e3").unwrap().float(), 7000.0);
        assert_eq!(Number::read("9223372036854775808").unwrap().float(), INT_END);
        for text in
            ["", "+", ".", "e3", "inf", "-inf", "+nan", "NaN", "0x10", " 7", "7 ", "7L", "1_0", "1e999"]
        {
            assert!(Number::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn integers_and_floats_compare_exactly() {
        let big = (1 << 53) + 1;
        for (int, float, order) in [
            (3, 3.0, Ordering::Equal),
            (3, 3.5, Ordering::Less),
            (-3, -3.5, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
            (0, -0.5, Ordering::Greater),
            (big, 9_007_199_254_740_992.0, Ordering::Greater),
            (i64::MAX, INT_END, Ordering::Less),
            (i64::MIN, -INT_END, Ordering::Equal),
            (i64::MIN, f64::NEG_INFINITY, Ordering::Greater),
        ] {
            let (left, right) = (Number::Int(int), Number::Float(float));
            assert_eq!(left.compare(right), Some(order), "{int} {float}");
            assert_eq!(right.compare(left), Some(order.reverse()), "{float} {int}");
            let equal = right.integer() == Some(int);
            assert_eq!(equal, order == Ordering::Equal, "{int} {float}");
        }
        assert_eq!(Number::Int(0).compare(Number::Float(f64::NAN)), None);
    }

    #[test]
    fn overflow_goes_on_as_a_float() {
        let max = Number::Int(i64::MAX);
        assert_eq!(max.apply(Arithmetic::Add, Number::Int(1)).unwrap().float(), INT_END);
        assert_eq!(Number::Int(i64::MIN).negate().float(), INT_END);
        let quotient = Number::Int(i64::MIN).apply(Arithmetic::Divide, Number::Int(-1));
        assert_eq!(quotient.unwrap().float(), INT_END);
        let remainder = Number::Int(i64::MIN).apply(Arithmetic::Remainder, Number::Int(-1));
        assert_eq!(remainder.unwrap().float(), 0.0);
        assert!(max.apply(Arithmetic::Divide, Number::Int(0)).is_none());
        assert!(max.apply(Arithmetic::Remainder, Number::Int(0)).is_none());
        let infinite = max.apply(Arithmetic::Divide, Number::Float(0.0));
        assert_eq!(infinite.unwrap().float(), f64::INFINITY);
    }
}
