//! Tokens into a tree, by the precedence of operators.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::SelectorError;
use super::error::character;
use super::lexer::{Lexer, Token};
use super::number::{Arithmetic, Number};
use super::program::{Condition, Literal, Name, Operand, Sign};
use crate::limits::{SELECTOR_DEPTH_MAX, SELECTOR_TERMS_MAX};

/// The names that a selector reads, each once.
type Names = Box<[Box<str>]>;

/// The condition that a text is, and its names.
pub(super) fn parse(text: &str) -> Result<(Condition, Names), SelectorError> {
    let mut lexer = Lexer::new(text);
    let (start, next) = lexer.next()?;
    let mut parser =
        Parser { lexer, next, start, depth: 0, terms: 0, names: Vec::new(), places: HashMap::default() };
    let node = parser.expression(Level::Or)?;
    if parser.next != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    let root = parser.condition(node, start)?;
    Ok((root, parser.names.into()))
}

/// What a part of a selector turns out to be.
pub(super) enum Node {
    Condition(Condition),
    Operand(Operand),
}

/// How strongly operators bind, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Sign,
}

/// What an expression begins with.
const VALUE: &str = "a value";

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    pub(super) next: Token<'a>,
    /// The byte at which `next` begins.
    pub(super) start: usize,
    /// Parentheses, `NOT` and signs that are open.
    depth: usize,
    terms: usize,
    names: Vec<Box<str>>,
    /// Where in `names` a name is.
    places: HashMap<Cow<'a, str>, Name, RandomState>,
}

impl<'a> Parser<'a> {
    /// An expression whose operators bind at least so strongly.
    pub(super) fn expression(&mut self, least: Level) -> Result<Node, SelectorError> {
        let start = self.start;
        let mut left = self.prefix(least)?;
        while let Some(level) = self.level().filter(|level| *level >= least) {
            left = match level {
                Level::Or | Level::And => Node::Condition(self.join(level, left, start)?),
                Level::Sum | Level::Product => Node::Operand(self.chain(level, left, start)?),
                Level::Comparison | Level::Not | Level::Sign => {
                    let condition = self.comparison(left, start)?;
                    if self.level() >= Some(Level::Comparison) {
                        return Err(self.unexpected("AND, OR or the end of the condition"));
                    }
                    Node::Condition(condition)
                }
            };
        }
        Ok(left)
    }

    /// What the next token is as an operator between two operands.
    const fn level(&self) -> Option<Level> {
        match self.next {
            Token::Or => Some(Level::Or),
            Token::And => Some(Level::And),
            Token::Compare(_) | Token::Not | Token::Between | Token::Like | Token::In | Token::Is => {
                Some(Level::Comparison)
            }
            Token::Plus | Token::Minus => Some(Level::Sum),
            Token::Star | Token::Slash | Token::Percent => Some(Level::Product),
            _ => None,
        }
    }

    /// What an expression begins with, without the operators behind it.
    fn prefix(&mut self, least: Level) -> Result<Node, SelectorError> {
        if self.next != Token::Open {
            self.term()?;
        }
        match self.next {
            Token::Open => self.nested(Self::parentheses),
            Token::Not if least <= Level::Not => self.nested(Self::not).map(Node::Condition),
            Token::Plus => self.nested(|this| this.signed(Sign::Plus)).map(Node::Operand),
            Token::Minus => self.nested(|this| this.signed(Sign::Minus)).map(Node::Operand),
            Token::Name(_) => self.name().map(Node::Operand),
            Token::Null => Err(self.unexpected("a value (NULL follows IS or IS NOT)")),
            _ => {
                let Some(literal) = self.literal() else { return Err(self.unexpected(VALUE)) };
                self.advance()?;
                Ok(Node::Operand(Operand::Literal(literal)))
            }
        }
    }

    /// The literal that the next token is.
    pub(super) fn literal(&mut self) -> Option<Literal> {
        Some(match &mut self.next {
            Token::True => Literal::Bool(true),
            Token::False => Literal::Bool(false),
            Token::Text(text) => Literal::Text(std::mem::take(text).into()),
            Token::Integer(magnitude) => Literal::Number(positive(*magnitude)),
            Token::Float(float) => Literal::Number(Number::Float(*float)),
            _ => return None,
        })
    }

    fn name(&mut self) -> Result<Operand, SelectorError> {
        let start = self.start;
        let Token::Name(name) = self.advance()? else { return Err(self.unexpected(VALUE)) };
        if matches!(self.next, Token::Text(_)) {
            // ActiveMQ's expressions over the body of a message.
            for what in ["XPATH", "XQUERY"] {
                if name.eq_ignore_ascii_case(what) {
                    let at = character(self.lexer.text(), start);
                    return Err(SelectorError::NotSupported { at, what });
                }
            }
        }
        if let Some(name) = self.places.get(&name) {
            return Ok(Operand::Name(*name));
        }
        // Each name is a term, of which there are far fewer than this holds.
        let place = Name(self.names.len() as u16);
        self.names.push(Box::from(&*name));
        self.places.insert(name, place);
        Ok(Operand::Name(place))
    }

    /// One level deeper: every recursion without end passes through here.
    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SelectorError>,
    ) -> Result<T, SelectorError> {
        if self.depth == SELECTOR_DEPTH_MAX {
            return Err(SelectorError::TooDeep { at: self.at() });
        }
        self.depth += 1;
        self.advance()?;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn parentheses(&mut self) -> Result<Node, SelectorError> {
        let node = self.expression(Level::Or)?;
        self.expect(&Token::Close, "an operator or `)`")?;
        Ok(node)
    }

    fn not(&mut self) -> Result<Condition, SelectorError> {
        let start = self.start;
        let node = self.expression(Level::Not)?;
        Ok(Condition::Not(Box::new(self.condition(node, start)?)))
    }

    fn signed(&mut self, sign: Sign) -> Result<Operand, SelectorError> {
        let start = self.start;
        let node = self.expression(Level::Sign)?;
        Ok(match self.operand(node, start)? {
            Operand::Literal(Literal::Number(number)) => {
                Operand::Literal(Literal::Number(with_sign(sign, number)))
            }
            operand => Operand::Signed(sign, Box::new(operand)),
        })
    }

    /// `AND` or `OR` as often as it follows. What is in parentheses and of the same kind joins in.
    fn join(&mut self, level: Level, left: Node, start: usize) -> Result<Condition, SelectorError> {
        let (operator, stronger) = match level {
            Level::Or => (Token::Or, Level::And),
            _ => (Token::And, Level::Not),
        };
        let mut terms = Vec::new();
        let mut add = |term| match term {
            Condition::Any(inner) if level == Level::Or => terms.extend(inner),
            Condition::All(inner) if level == Level::And => terms.extend(inner),
            term => terms.push(term),
        };
        add(self.condition(left, start)?);
        while self.next == operator {
            self.term()?;
            self.advance()?;
            let start = self.start;
            let right = self.expression(stronger)?;
            add(self.condition(right, start)?);
        }
        terms.shrink_to_fit();
        Ok(if level == Level::Or { Condition::Any(terms) } else { Condition::All(terms) })
    }

    /// Arithmetic operators of one level as often as they follow.
    fn chain(&mut self, level: Level, left: Node, start: usize) -> Result<Operand, SelectorError> {
        let first = self.operand(left, start)?;
        let mut rest = Vec::new();
        while let Some(operator) = arithmetic(&self.next).filter(|_| self.level() == Some(level)) {
            self.term()?;
            self.advance()?;
            let stronger = if level == Level::Sum { Level::Product } else { Level::Sign };
            rest.push((operator, self.value(stronger)?));
        }
        rest.shrink_to_fit();
        Ok(Operand::Chain(Box::new(first), rest))
    }

    /// An expression that has a value.
    pub(super) fn value(&mut self, least: Level) -> Result<Operand, SelectorError> {
        let start = self.start;
        let node = self.expression(least)?;
        self.operand(node, start)
    }

    /// A node that began at that byte, as a value.
    pub(super) fn operand(&self, node: Node, start: usize) -> Result<Operand, SelectorError> {
        match node {
            Node::Operand(operand) => Ok(operand),
            Node::Condition(_) => Err(SelectorError::NotAValue { at: character(self.lexer.text(), start) }),
        }
    }

    /// A node that began at that byte, as a condition.
    fn condition(&self, node: Node, start: usize) -> Result<Condition, SelectorError> {
        match node {
            Node::Condition(condition) => Ok(condition),
            Node::Operand(Operand::Name(name)) => Ok(Condition::Property(name)),
            Node::Operand(Operand::Literal(Literal::Bool(bool))) => Ok(Condition::Constant(bool)),
            Node::Operand(_) => Err(SelectorError::NotACondition { at: character(self.lexer.text(), start) }),
        }
    }

    /// The text that the next token is.
    pub(super) fn text(&mut self, expected: &'static str) -> Result<Cow<'a, str>, SelectorError> {
        if !matches!(self.next, Token::Text(_)) {
            return Err(self.unexpected(expected));
        }
        match self.advance()? {
            Token::Text(text) => Ok(text),
            _ => Err(self.unexpected(expected)),
        }
    }

    pub(super) fn expect(&mut self, token: &Token<'_>, expected: &'static str) -> Result<(), SelectorError> {
        if self.accept(token)? { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Goes on if the next token is this one.
    pub(super) fn accept(&mut self, token: &Token<'_>) -> Result<bool, SelectorError> {
        let is_next = self.next == *token;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    /// Goes on, and hands out the token that was next.
    pub(super) fn advance(&mut self) -> Result<Token<'a>, SelectorError> {
        let (start, next) = self.lexer.next()?;
        self.start = start;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Counts the next token as a term.
    pub(super) fn term(&mut self) -> Result<(), SelectorError> {
        self.count(1, self.at())
    }

    /// Counts so many terms, which stand at `at`.
    pub(super) fn count(&mut self, terms: usize, at: usize) -> Result<(), SelectorError> {
        self.terms += terms;
        if self.terms > SELECTOR_TERMS_MAX {
            return Err(SelectorError::TooManyTerms { at });
        }
        Ok(())
    }

    pub(super) fn unexpected(&self, expected: &'static str) -> SelectorError {
        SelectorError::unexpected(self.lexer.text(), self.start, self.lexer.at(), expected)
    }

    /// The place of the next token, as errors name it.
    pub(super) fn at(&self) -> usize {
        character(self.lexer.text(), self.start)
    }
}

fn positive(magnitude: u64) -> Number {
    i64::try_from(magnitude).map_or(Number::Float(magnitude as f64), Number::Int)
}

pub(super) fn with_sign(sign: Sign, number: Number) -> Number {
    if sign == Sign::Plus {
        return number;
    }
    let negative = number.negate();
    // The least integer has no positive counterpart and comes in as a float.
    negative.integer().filter(|int| *int == i64::MIN).map_or(negative, Number::Int)
}

const fn arithmetic(token: &Token<'_>) -> Option<Arithmetic> {
    match token {
        Token::Plus => Some(Arithmetic::Add),
        Token::Minus => Some(Arithmetic::Subtract),
        Token::Star => Some(Arithmetic::Multiply),
        Token::Slash => Some(Arithmetic::Divide),
        Token::Percent => Some(Arithmetic::Remainder),
        _ => None,
    }
}
