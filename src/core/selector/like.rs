//! Patterns of `LIKE`.

use memchr::memmem;

/// A pattern: `%` stands for any run of characters, `_` for one character, all else for itself.
///
/// The pieces between the `%` are looked for one after another, each at its first place: what is before
/// the first `%` at the start of the text, what is behind the last one at its end. No place is tried
/// twice, so a pattern cannot make the search explode.
#[derive(Debug)]
pub(super) struct Like {
    first: Option<Piece>,
    /// The pieces between the first `%` and the last one, and the piece behind that. None if there is
    /// no `%`.
    rest: Option<(Box<[Piece]>, Option<Piece>)>,
}

/// What stands between two `%`: at least one character.
#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    /// Characters, with `None` for `_`.
    Wild(Box<[Option<char>]>),
}

impl Like {
    /// A pattern from its text; `None` if that ends with the escape character.
    pub(super) fn compile(pattern: &str, escape: Option<char>) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                c if Some(c) == escape => piece.push(Some(chars.next()?)),
                '%' => pieces.push(Piece::new(&std::mem::take(&mut piece))),
                '_' => piece.push(None),
                c => piece.push(Some(c)),
            }
        }
        let last = Piece::new(&piece);
        let mut pieces = pieces.into_iter();
        Some(match pieces.next() {
            None => Self { first: last, rest: None },
            Some(first) => Self { first, rest: Some((pieces.flatten().collect(), last)) },
        })
    }

    /// Characters of the pieces with `_` that are looked for at every place of a text.
    pub(super) fn floating(&self) -> usize {
        let middle = self.rest.iter().flat_map(|(middle, _)| middle.iter());
        middle.map(|piece| if let Piece::Wild(chars) = piece { chars.len() } else { 0 }).sum()
    }

    /// Whether it matches the whole text.
    pub(super) fn matches(&self, mut text: &str) -> bool {
        if let Some(first) = &self.first {
            let Some(behind) = first.strip_start(text) else { return false };
            text = behind;
        }
        let Some((middle, last)) = &self.rest else { return text.is_empty() };
        for piece in middle {
            let Some(behind) = piece.strip_through(text) else { return false };
            text = behind;
        }
        last.as_ref().is_none_or(|last| last.is_end_of(text))
    }
}

impl Piece {
    /// A piece, unless there is nothing of it.
    fn new(chars: &[Option<char>]) -> Option<Self> {
        match chars.iter().copied().collect::<Option<String>>() {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(Self::Text(text.into())),
            None => Some(Self::Wild(chars.into())),
        }
    }

    /// What is behind this piece at the start of a text.
    fn strip_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(piece) => text.strip_prefix(&**piece),
            Self::Wild(piece) => {
                let mut chars = text.chars();
                for wanted in piece {
                    let c = chars.next()?;
                    if wanted.is_some_and(|wanted| wanted != c) {
                        return None;
                    }
                }
                Some(chars.as_str())
            }
        }
    }

    /// What is behind the first place of this piece in a text.
    fn strip_through<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text(piece) => {
                let at = memmem::find(text.as_bytes(), piece.as_bytes())?;
                Some(&text[at + piece.len()..])
            }
            Self::Wild(_) => text.char_indices().find_map(|(at, _)| self.strip_start(&text[at..])),
        }
    }

    fn is_end_of(&self, text: &str) -> bool {
        match self {
            Self::Text(piece) => text.ends_with(&**piece),
            Self::Wild(piece) => {
                let start = text.char_indices().nth_back(piece.len() - 1);
                start.is_some_and(|(at, _)| self.strip_start(&text[at..]).is_some())
            }
        }
    }
}
