//! A selector as a tree.

use bytestring::ByteString;

use super::Typing;
use super::like::Like;
use super::members::Members;
use super::number::{Arithmetic, Number};

/// A parsed selector.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) text: ByteString,
    pub(super) typing: Typing,
    pub(super) names: Box<[Box<str>]>,
    pub(super) root: Condition,
}

/// A name, by its place in [`Program::names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) u16);

/// What is TRUE, FALSE or UNKNOWN of a message.
///
/// Chains of `AND` and of `OR` are one node each, so that a tree is only as deep as its text has
/// parentheses, `NOT` and signs inside each other.
#[derive(Debug)]
pub(super) enum Condition {
    Constant(bool),
    /// A boolean property.
    Property(Name),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Comparison, Operand, Operand),
    /// A value, and the least and greatest that it may be.
    Between(Box<[Operand; 3]>),
    Like(Operand, Box<Like>),
    In(Operand, Box<Members>),
    IsNull(Operand),
}

/// What has a value in a message.
#[derive(Debug)]
pub(super) enum Operand {
    Literal(Literal),
    Name(Name),
    Signed(Sign, Box<Self>),
    /// Operators of one precedence, applied from left to right.
    Chain(Box<Self>, Vec<(Arithmetic, Self)>),
    Condition(Box<Condition>),
}

/// A value that a selector names.
#[derive(Debug)]
pub(super) enum Literal {
    Bool(bool),
    Number(Number),
    Text(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// An operator that compares two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
