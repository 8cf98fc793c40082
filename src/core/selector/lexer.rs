//! Text into tokens.

use std::borrow::Cow;

use super::SelectorError;
use super::error::character;
use super::program::Comparison;

/// The smallest part of a selector that has a meaning.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Name(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// At most 2^63, which is an integer only behind a minus.
    Integer(u64),
    Float(f64),
    Compare(Comparison),
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Open,
    Close,
    Comma,
    Null,
    True,
    False,
    Not,
    And,
    Or,
    Between,
    Like,
    In,
    Is,
    Escape,
    End,
}

/// Words that are no names unless quoted, in any case.
const KEYWORDS: &[(&str, Token<'static>)] = &[
    ("NULL", Token::Null),
    ("TRUE", Token::True),
    ("FALSE", Token::False),
    ("NOT", Token::Not),
    ("AND", Token::And),
    ("OR", Token::Or),
    ("BETWEEN", Token::Between),
    ("LIKE", Token::Like),
    ("IN", Token::In),
    ("IS", Token::Is),
    ("ESCAPE", Token::Escape),
];

/// The largest magnitude of an integer, that of the least.
const MAGNITUDE_MAX: u64 = 1 << 63;

/// Reads one token after another.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// The byte behind the last token.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next token and the byte at which it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'a>), SelectorError> {
        let rest = self.skip_blanks()?;
        let start = self.at;
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return Ok((start, Token::End)) };
        let second = chars.next();
        let token = match first {
            '\'' => Token::Text(self.quoted('\'')?),
            '"' => Token::Name(self.name_in_quotes()?),
            '0'..='9' => self.number()?,
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            c if is_name_start(c) => self.word(),
            _ => {
                let Some((token, length)) = symbol(first, second) else {
                    return Err(SelectorError::Character { at: character(self.text, start), found: first });
                };
                self.at += length;
                token
            }
        };
        Ok((start, token))
    }

    /// Passes over blanks and comments: `/* ... */`, and `--` to the end of a line. Where no line ends it
    /// is two minus signs.
    fn skip_blanks(&mut self) -> Result<&'a str, SelectorError> {
        loop {
            let rest = self.text[self.at..].trim_start();
            self.at = self.text.len() - rest.len();
            let length = if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => end + 4,
                    None => return Err(SelectorError::Comment { at: character(self.text, self.at) }),
                }
            } else if rest.starts_with("--") {
                match rest.find(['\n', '\r']) {
                    Some(end) => end + 1,
                    None => return Ok(rest),
                }
            } else {
                return Ok(rest);
            };
            self.at += length;
        }
    }

    fn name_in_quotes(&mut self) -> Result<Cow<'a, str>, SelectorError> {
        let start = self.at;
        let name = self.quoted('"')?;
        if name.is_empty() {
            return Err(SelectorError::NoName { at: character(self.text, start) });
        }
        Ok(name)
    }

    /// What stands between quotes, of which two in a row are one that belongs to it.
    fn quoted(&mut self, quote: char) -> Result<Cow<'a, str>, SelectorError> {
        let start = self.at;
        let mut text = Cow::Borrowed("");
        loop {
            let from = self.at + 1;
            let Some(length) = self.text[from..].find(quote) else {
                return Err(SelectorError::Unclosed { at: character(self.text, start) });
            };
            self.at = from + length + 1;
            let doubled = self.text[self.at..].starts_with(quote);
            let part = &self.text[from..self.at - usize::from(!doubled)];
            if text.is_empty() {
                text = Cow::Borrowed(part);
            } else {
                text += part;
            }
            if !doubled {
                return Ok(text);
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        self.at += end;
        let word = &rest[..end];
        let keyword = KEYWORDS.iter().find(|(keyword, _)| word.eq_ignore_ascii_case(keyword));
        keyword.map_or(Token::Name(Cow::Borrowed(word)), |(_, token)| token.clone())
    }

    /// A number. All that could be part of one is taken, so that `7x` is an error and not two tokens.
    fn number(&mut self) -> Result<Token<'a>, SelectorError> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        let is_hex = starts_hex(rest);
        let mut before = ' ';
        let end = rest.find(|c: char| {
            let is_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !is_hex;
            before = c;
            !is_sign && c != '.' && !is_name_part(c)
        });
        self.at += end.unwrap_or(rest.len());
        let word = &self.text[start..self.at];
        match number(word) {
            Ok(Token::Float(float)) if !float.is_finite() => Err(None),
            result => result,
        }
        .map_err(|error: Option<NotANumber>| match error {
            Some(NotANumber) => SelectorError::number(self.text, start, self.at),
            None => SelectorError::NumberTooLarge { at: character(self.text, start) },
        })
    }
}

struct NotANumber;

/// A number from its text, as Java writes them; the error is `None` for one that is too large.
fn number(word: &str) -> Result<Token<'static>, Option<NotANumber>> {
    let digits = word.strip_suffix(['l', 'L']).unwrap_or(word);
    let is_long = digits.len() < word.len();
    if starts_hex(word) {
        return integer(&digits[2..], 16);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() > 1 && digits.starts_with('0') {
            return integer(&digits[1..], 8);
        }
        return match digits.parse() {
            Ok(magnitude) if magnitude <= MAGNITUDE_MAX => Ok(Token::Integer(magnitude)),
            _ if is_long => Err(None),
            _ => word.parse().map(Token::Float).map_err(|_| Some(NotANumber)),
        };
    }
    let float = word.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(word);
    float.parse().map(Token::Float).map_err(|_| Some(NotANumber))
}

fn integer(digits: &str, radix: u32) -> Result<Token<'static>, Option<NotANumber>> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Some(NotANumber));
    }
    let value = i64::from_str_radix(digits, radix).map_err(|_| None)?;
    Ok(Token::Integer(value.unsigned_abs()))
}

fn starts_hex(word: &str) -> bool {
    word.starts_with("0x") || word.starts_with("0X")
}

/// An operator or another sign, and its length.
const fn symbol(first: char, second: Option<char>) -> Option<(Token<'static>, usize)> {
    Some(match (first, second) {
        ('<', Some('>')) | ('!', Some('=')) => (Token::Compare(Comparison::NotEqual), 2),
        ('<', Some('=')) => (Token::Compare(Comparison::LessOrEqual), 2),
        ('>', Some('=')) => (Token::Compare(Comparison::GreaterOrEqual), 2),
        ('<', _) => (Token::Compare(Comparison::Less), 1),
        ('>', _) => (Token::Compare(Comparison::Greater), 1),
        ('=', _) => (Token::Compare(Comparison::Equal), 1),
        ('+', _) => (Token::Plus, 1),
        ('-', _) => (Token::Minus, 1),
        ('*', _) => (Token::Star, 1),
        ('/', _) => (Token::Slash, 1),
        ('%', _) => (Token::Percent, 1),
        ('(', _) => (Token::Open, 1),
        (')', _) => (Token::Close, 1),
        (',', _) => (Token::Comma, 1),
        _ => return None,
    })
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | ':')
}
