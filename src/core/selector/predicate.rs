//! What stands between a value and what it is compared with.

use super::SelectorError;
use super::lexer::Token;
use super::like::Like;
use super::members::Members;
use super::parser::{Level, Node, Parser, with_sign};
use super::program::{Comparison, Condition, Literal, Operand, Sign};
use crate::limits::{SELECTOR_FLOATING_TERMS, SELECTOR_LIST_MAX, SELECTOR_PATTERN_BYTES_MAX};

impl Parser<'_> {
    /// The comparison whose operator is next.
    pub(super) fn comparison(&mut self, left: Node, start: usize) -> Result<Condition, SelectorError> {
        self.term()?;
        if let Token::Compare(comparison) = self.next {
            self.advance()?;
            return self.compare(comparison, left, start);
        }
        let left = self.operand(left, start)?;
        if self.next == Token::Is {
            self.advance()?;
            let negated = self.accept(&Token::Not)?;
            self.expect(&Token::Null, if negated { "NULL" } else { "NULL or NOT NULL" })?;
            return Ok(negate(Condition::IsNull(left), negated));
        }
        let negated = self.accept(&Token::Not)?;
        let condition = match self.next {
            Token::Between => self.between(left)?,
            Token::Like => self.like(left)?,
            Token::In => self.list(left)?,
            _ => return Err(self.unexpected("BETWEEN, LIKE or IN")),
        };
        Ok(negate(condition, negated))
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: Node,
        start: usize,
    ) -> Result<Condition, SelectorError> {
        let right_start = self.start;
        let right = self.expression(Level::Sum)?;
        let side = |node, start| match node {
            Node::Condition(condition) if is_equality(comparison) => {
                Ok(Operand::Condition(Box::new(condition)))
            }
            node => self.operand(node, start),
        };
        Ok(Condition::Compare(comparison, side(left, start)?, side(right, right_start)?))
    }

    fn between(&mut self, operand: Operand) -> Result<Condition, SelectorError> {
        self.advance()?;
        let low = self.value(Level::Sum)?;
        self.expect(&Token::And, "AND and the upper bound of BETWEEN")?;
        let high = self.value(Level::Sum)?;
        Ok(Condition::Between(Box::new([operand, low, high])))
    }

    fn like(&mut self, operand: Operand) -> Result<Condition, SelectorError> {
        self.advance()?;
        let at = self.at();
        let pattern = self.text("a pattern in single quotes")?;
        if pattern.len() > SELECTOR_PATTERN_BYTES_MAX {
            return Err(SelectorError::PatternTooLong { at });
        }
        let escape = if self.accept(&Token::Escape)? { Some(self.escape()?) } else { None };
        let Some(like) = Like::compile(&pattern, escape) else {
            return Err(SelectorError::EscapeLast { at });
        };
        self.count(like.floating() * SELECTOR_FLOATING_TERMS, at)?;
        Ok(Condition::Like(operand, Box::new(like)))
    }

    fn escape(&mut self) -> Result<char, SelectorError> {
        let at = self.at();
        let text = self.text("a character in single quotes")?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(SelectorError::Escape { at }),
        }
    }

    fn list(&mut self, operand: Operand) -> Result<Condition, SelectorError> {
        self.advance()?;
        self.expect(&Token::Open, "`(` and a list")?;
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        loop {
            if texts.len() + numbers.len() == SELECTOR_LIST_MAX {
                return Err(SelectorError::ListTooLong { at: self.at() });
            }
            let sign = match self.next {
                Token::Minus => Some(Sign::Minus),
                Token::Plus => Some(Sign::Plus),
                _ => None,
            };
            if sign.is_some() {
                self.advance()?;
            }
            match (self.literal(), sign) {
                (Some(Literal::Number(number)), sign) => {
                    numbers.push(with_sign(sign.unwrap_or(Sign::Plus), number));
                }
                (Some(Literal::Text(text)), None) => texts.push(text),
                _ => return Err(self.unexpected("a text in single quotes or a number")),
            }
            self.advance()?;
            if !self.accept(&Token::Comma)? {
                break;
            }
        }
        self.expect(&Token::Close, "`,` or `)`")?;
        Ok(Condition::In(operand, Box::new(Members::new(texts, numbers))))
    }
}

const fn is_equality(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Equal | Comparison::NotEqual)
}

fn negate(condition: Condition, negated: bool) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}
