//! Exceptions, as text.

use crate::error::Error;
use crate::field::Field;
use crate::reader::Reader;
use crate::text::Text;
use crate::writer::Writer;

/// Causes of causes.
const CAUSES_MAX: usize = 32;

/// An exception: the name of its class and what it says. The name is text and nothing else; clients act
/// by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Throwable {
    /// The name of its class.
    pub class: Option<Text>,
    /// What it says.
    pub message: Option<Text>,
    /// Where it was thrown, innermost first; only where both sides have stack traces enabled.
    pub stack: Vec<StackFrame>,
    /// What caused it; only where both sides have stack traces enabled.
    pub cause: Option<Box<Self>>,
}

/// A place in a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields bear the names of Java's StackTraceElement")]
pub struct StackFrame {
    pub class: Option<Text>,
    pub method: Option<Text>,
    pub file: Option<Text>,
    pub line: i32,
}

impl Throwable {
    /// An exception of a class, without a place.
    pub fn new(class: &str, message: &str) -> Self {
        Self { class: Some(class.into()), message: Some(message.into()), ..Self::default() }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Box<Self>>, Error> {
        // A chain, read without recursion: its length is the peer's choice.
        let mut chain = Vec::new();
        while reader.flag()? {
            if chain.len() >= CAUSES_MAX {
                return Err(Error::TooDeep);
            }
            reader.charge(2 * size_of::<Self>())?;
            let mut link =
                Self { class: Field::read(reader)?, message: Field::read(reader)?, ..Self::default() };
            if !reader.format.stack_traces {
                chain.push(link);
                break;
            }
            let count = i16::from_be_bytes(reader.array()?);
            for _ in 0..u16::try_from(count).map_err(|_| Error::Negative("the depth of a stack trace"))? {
                reader.charge(2 * size_of::<StackFrame>())?;
                link.stack.push(StackFrame {
                    class: Field::read(reader)?,
                    method: Field::read(reader)?,
                    file: Field::read(reader)?,
                    line: Field::read(reader)?,
                });
            }
            chain.push(link);
        }
        Ok(chain.into_iter().rev().fold(None, |cause, link| Some(Box::new(Self { cause, ..link }))))
    }

    pub(crate) fn write(this: Option<&Self>, writer: &mut Writer<'_>) {
        writer.flag(this.is_some());
        let Some(this) = this else { return };
        this.class.write(writer);
        this.message.write(writer);
        if !writer.format.stack_traces {
            return;
        }
        let stack = this.stack.get(..i16::MAX as usize).unwrap_or(&this.stack);
        writer.raw(&(stack.len() as u16).to_be_bytes());
        for frame in stack {
            frame.class.write(writer);
            frame.method.write(writer);
            frame.file.write(writer);
            frame.line.write(writer);
        }
        Self::write(this.cause.as_deref(), writer);
    }
}
