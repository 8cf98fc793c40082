//! The first exchange: each side proposes, and both compute the same result.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::Format;
use crate::commands::WireFormatInfo;
use crate::error::Error;
use crate::text::Text;

/// What every WireFormatInfo begins with.
pub const MAGIC: [u8; 8] = *b"ActiveMQ";
/// The latest version.
pub const VERSION_MAX: u8 = 12;
/// A Java writer never comes to an end with a smaller cache, so none is offered or taken.
pub const CACHE_SIZE_MIN: u16 = 101;
/// What a size of 0 stands for.
const CACHE_SIZE_DEFAULT: i32 = 16_383;

/// Properties that a peer may send, and bytes of one.
const PROPERTIES_MAX: i32 = 64;
const TEXT_MAX: usize = 4_096;

/// What a side proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The latest version it speaks.
    pub version: i32,
    /// Whether exceptions come with their stack traces.
    pub stack_traces: bool,
    /// Whether objects are cached.
    pub cache: bool,
    /// Entries of the cache; 0 for as many as there can be.
    pub cache_size: i32,
    /// Whether it takes the tight encoding.
    pub tight: bool,
    /// Whether frames have no size before them.
    pub size_prefix_disabled: bool,
    /// TCP_NODELAY.
    pub tcp_no_delay: bool,
    /// Milliseconds without a byte after which a connection is lost; 0 for none.
    pub inactivity: i64,
    /// Milliseconds before that is looked at.
    pub inactivity_delay: i64,
    /// The largest body of a frame.
    pub max_frame: i64,
    /// The host that the client dialled.
    pub host: Option<Text>,
    /// The product, its version and its platform.
    pub provider: [Option<Text>; 3],
}

impl Default for Proposal {
    /// What a property stands for that is not sent.
    fn default() -> Self {
        Self {
            version: 1,
            stack_traces: false,
            cache: false,
            cache_size: 0,
            tight: false,
            size_prefix_disabled: false,
            tcp_no_delay: false,
            inactivity: 0,
            inactivity_delay: 0,
            max_frame: 0,
            host: None,
            provider: [None, None, None],
        }
    }
}

/// What both sides do from then on.
pub fn negotiate(ours: &Proposal, theirs: &Proposal) -> Format {
    let entries = |proposal: &Proposal| match proposal.cache_size {
        ..=0 => CACHE_SIZE_DEFAULT,
        size => size,
    };
    let size = if ours.cache && theirs.cache { entries(ours).min(entries(theirs)) } else { 0 };
    Format {
        version: ours.version.min(theirs.version).clamp(1, i32::from(VERSION_MAX)) as u8,
        tight: ours.tight && theirs.tight,
        stack_traces: ours.stack_traces && theirs.stack_traces,
        cache: size.clamp(0, i32::from(i16::MAX)) as u16,
    }
}

impl Proposal {
    /// Reads a peer's proposal.
    pub fn read(info: &WireFormatInfo) -> Result<Self, Error> {
        if info.magic != MAGIC {
            return Err(Error::Magic);
        }
        if info.version < 1 {
            return Err(Error::Version(info.version));
        }
        let mut proposal = Self { version: info.version, ..Self::default() };
        if let Some(properties) = &info.marshalled_properties {
            proposal.read_properties(&mut properties.clone())?;
        }
        Ok(proposal)
    }

    fn read_properties(&mut self, rest: &mut Bytes) -> Result<(), Error> {
        let count = rest.try_get_i32().map_err(|_| Error::Truncated)?;
        if count > PROPERTIES_MAX {
            return Err(Error::TooLarge("the number of properties of WireFormatInfo", PROPERTIES_MAX as u64));
        }
        for _ in 0..count {
            let name = text(rest)?;
            let value = Value::read(rest).ok_or_else(|| unreadable(&name))?;
            self.take(&name, value).ok_or_else(|| unreadable(&name))?;
        }
        Ok(())
    }

    /// Takes a property; what is not known is left.
    fn take(&mut self, name: &Text, value: Value) -> Option<()> {
        match &name.wire()[..] {
            b"StackTraceEnabled" => self.stack_traces = value.flag()?,
            b"CacheEnabled" => self.cache = value.flag()?,
            b"CacheSize" => self.cache_size = i32::try_from(value.number()?).ok()?,
            b"TightEncodingEnabled" => self.tight = value.flag()?,
            b"SizePrefixDisabled" => self.size_prefix_disabled = value.flag()?,
            b"TcpNoDelayEnabled" => self.tcp_no_delay = value.flag()?,
            b"MaxInactivityDuration" => self.inactivity = value.number()?,
            b"MaxInactivityDurationInitalDelay" => self.inactivity_delay = value.number()?,
            b"MaxFrameSize" => self.max_frame = value.number()?,
            b"Host" => self.host = value.text(),
            b"ProviderName" => self.provider[0] = value.text(),
            b"ProviderVersion" => self.provider[1] = value.text(),
            b"PlatformDetails" => self.provider[2] = value.text(),
            _ => {}
        }
        Some(())
    }

    /// Writes our own.
    pub fn write(&self) -> WireFormatInfo {
        let mut map = BytesMut::new();
        let mut count = 0_u32;
        let mut put = |name: &str, kind: u8, value: &[u8]| {
            count += 1;
            map.put_u16(name.len() as u16);
            map.put_slice(name.as_bytes());
            map.put_u8(kind);
            map.put_slice(value);
        };
        put("StackTraceEnabled", 1, &[self.stack_traces.into()]);
        put("CacheEnabled", 1, &[self.cache.into()]);
        put("CacheSize", 5, &self.cache_size.to_be_bytes());
        put("TightEncodingEnabled", 1, &[self.tight.into()]);
        put("SizePrefixDisabled", 1, &[self.size_prefix_disabled.into()]);
        put("TcpNoDelayEnabled", 1, &[self.tcp_no_delay.into()]);
        put("MaxInactivityDuration", 6, &self.inactivity.to_be_bytes());
        put("MaxInactivityDurationInitalDelay", 6, &self.inactivity_delay.to_be_bytes());
        put("MaxFrameSize", 6, &self.max_frame.to_be_bytes());
        put("MaxFrameSizeEnabled", 1, &[1]);
        let [name, version, platform] = &self.provider;
        let texts = [
            ("Host", &self.host),
            ("ProviderName", name),
            ("ProviderVersion", version),
            ("PlatformDetails", platform),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                let wire = text.wire().get(..TEXT_MAX).unwrap_or(text.wire());
                let mut value = Vec::from((wire.len() as u16).to_be_bytes());
                value.extend_from_slice(wire);
                put(name, 9, &value);
            }
        }
        let mut properties = BytesMut::with_capacity(4 + map.len());
        properties.put_u32(count);
        properties.put_slice(&map);
        WireFormatInfo {
            magic: MAGIC,
            version: self.version,
            marshalled_properties: Some(properties.freeze()),
        }
    }
}

/// The values that clients send here. Others are refused: there is no need for tables within tables.
enum Value {
    Null,
    Flag(bool),
    Number(i64),
    Text(Text),
}

impl Value {
    fn read(rest: &mut Bytes) -> Option<Self> {
        Some(match rest.try_get_u8().ok()? {
            0 => Self::Null,
            1 => Self::Flag(rest.try_get_u8().ok()? != 0),
            2 => Self::Number(rest.try_get_i8().ok()?.into()),
            4 => Self::Number(rest.try_get_i16().ok()?.into()),
            5 => Self::Number(rest.try_get_i32().ok()?.into()),
            6 => Self::Number(rest.try_get_i64().ok()?),
            9 => Self::Text(text(rest).ok()?),
            _ => return None,
        })
    }

    const fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    const fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    fn text(self) -> Option<Text> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn text(rest: &mut Bytes) -> Result<Text, Error> {
    let len = usize::from(rest.try_get_u16().map_err(|_| Error::Truncated)?);
    if len > TEXT_MAX {
        return Err(Error::TooLarge("a property of WireFormatInfo, in bytes,", TEXT_MAX as u64));
    }
    if rest.len() < len {
        return Err(Error::Truncated);
    }
    Ok(Text::from_wire(Bytes::copy_from_slice(&rest.split_to(len))))
}

fn unreadable(name: &Text) -> Error {
    Error::Property(name.decode().chars().take(40).collect())
}
