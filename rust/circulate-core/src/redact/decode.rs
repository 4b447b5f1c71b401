//! The forms in which a server may send a text back, undone. Each character knows which bytes of the text it was made of.

/// A character, and where in the text it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) char: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The least characters of a run that is read as Base64 or hexadecimal.
const SHORTEST_RUN: usize = 8;
/// The longest name of an HTML entity that is known, and the most digits of a numeric one.
const LONGEST_ENTITY: usize = 10;
/// The entities that can stand for a character of a secret.
const ENTITIES: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("sol", '/'),
    ("bsol", '\\'),
    ("plus", '+'),
    ("equals", '='),
    ("colon", ':'),
    ("semi", ';'),
    ("period", '.'),
    ("comma", ','),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("num", '#'),
    ("percnt", '%'),
    ("excl", '!'),
    ("quest", '?'),
    ("dollar", '$'),
    ("commat", '@'),
    ("ast", '*'),
    ("tilde", '~'),
];

/// The characters of `text`.
pub(super) fn units(text: &str) -> Vec<Unit> {
    text.char_indices().map(|(start, char)| Unit { char, start, end: start + char.len_utf8() }).collect()
}

/// What a backslash means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// As in JSON and in our own output: `\n` is a line break.
    Json,
    /// As in the quoted strings of headers: `\n` is an n.
    Quoted,
}

/// The text with percent-encoding, and the escapes of HTML and of one kind of backslashes undone once; `None` if it has none.
pub(super) fn unescaped(text: &[Unit], backslashes: Escapes) -> Option<Vec<Unit>> {
    let (mut plain, mut at) = (Vec::with_capacity(text.len()), 0);
    let mut changed = false;
    while at < text.len() {
        let rest = &text[at..];
        let escaped = match rest[0].char {
            '%' => percent(rest),
            '\\' if backslashes == Escapes::Json => backslash(rest),
            '\\' => rest.get(1).map(|unit| (vec![unit.char], 2)),
            '&' => entity(rest),
            _ => None,
        };
        if let Some((chars, length)) = escaped {
            changed = true;
            let (start, end) = (rest[0].start, rest[length - 1].end);
            plain.extend(chars.into_iter().map(|char| Unit { char, start, end }));
            at += length;
        } else {
            plain.push(rest[0]);
            at += 1;
        }
    }
    changed.then_some(plain)
}

/// What an escape stands for, and how many characters it takes.
type Escaped = (Vec<char>, usize);

/// `%41`. Bytes of one character are read together.
fn percent(text: &[Unit]) -> Option<Escaped> {
    let byte = |at: usize| match text.get(at)?.char {
        '%' => u8::try_from(hexadecimal(text.get(at + 1..at + 3)?)?).ok(),
        _ => None,
    };
    let first = byte(0)?;
    let count = match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    let bytes: Option<Vec<_>> = (0..count).map(|number| byte(number * 3)).collect();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(char) => Some((char.chars().collect(), count * 3)),
        None => Some((vec![char::from(first)], 3)),
    }
}

/// `\u0041`, `\u{41}`, `\x41`, `\/`. Line breaks and lone surrogates are nothing that a secret is compared by.
fn backslash(text: &[Unit]) -> Option<Escaped> {
    let digits = |from: usize, to: usize| hexadecimal(text.get(from..to)?);
    match text.get(1)?.char {
        'u' if text.get(2).is_some_and(|unit| unit.char == '{') => {
            let close = text.iter().take(LONGEST_ENTITY).position(|unit| unit.char == '}')?;
            Some((char::from_u32(digits(3, close)?).into_iter().collect(), close + 1))
        }
        'u' => {
            let first = digits(2, 6)?;
            let is_high = (0xd800..0xdc00).contains(&first);
            let second = text.get(6).is_some_and(|unit| unit.char == '\\').then(|| digits(8, 12)).flatten();
            match second.filter(|second| is_high && (0xdc00..0xe000).contains(second)) {
                Some(second) => {
                    let both = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    Some((char::from_u32(both).into_iter().collect(), 12))
                }
                None => Some((char::from_u32(first).into_iter().collect(), 6)),
            }
        }
        'x' => Some((char::from_u32(digits(2, 4)?).into_iter().collect(), 4)),
        'b' | 'f' | 'n' | 'r' | 't' => Some((Vec::new(), 2)),
        char => Some((vec![char], 2)),
    }
}

/// `&#65;`, `&#x41;`, `&amp;`; the semicolon may be missing.
fn entity(text: &[Unit]) -> Option<Escaped> {
    let end = |from: usize, belongs: fn(char) -> bool| {
        let length =
            text.iter().skip(from).take(LONGEST_ENTITY).take_while(|unit| belongs(unit.char)).count();
        (
            from + length,
            from + length + usize::from(text.get(from + length).is_some_and(|unit| unit.char == ';')),
        )
    };
    let name = |from: usize, to: usize| text[from..to].iter().map(|unit| unit.char).collect::<String>();
    if text.get(1)?.char != '#' {
        let (to, length) = end(1, |char| char.is_ascii_alphabetic());
        let name = name(1, to).to_ascii_lowercase();
        let (_, char) = ENTITIES.iter().find(|(known, _)| *known == name)?;
        return Some((vec![*char], length));
    }
    let (number, length) = if matches!(text.get(2)?.char, 'x' | 'X') {
        let (to, length) = end(3, |char| char.is_ascii_hexdigit());
        (hexadecimal(&text[3..to])?, length)
    } else {
        let (to, length) = end(2, |char| char.is_ascii_digit());
        (name(2, to).parse().ok()?, length)
    };
    Some((char::from_u32(number).into_iter().collect(), length))
}

fn hexadecimal(digits: &[Unit]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, unit| Some(number.checked_mul(16)? + unit.char.to_digit(16)?))
}

/// What runs of Base64 (of either alphabet) and hexadecimal digits decode to, from wherever they may begin.
pub(super) fn decoded_runs(text: &[Unit]) -> Vec<Vec<Unit>> {
    let mut decoded = Vec::new();
    // Encoders wrap lines, and a server may put something between.
    let visible: Vec<_> = text.iter().filter(|unit| unit.char.is_ascii_graphic()).copied().collect();
    for run in visible.split(|unit| sextet(unit.char).is_none()).filter(|run| run.len() >= SHORTEST_RUN) {
        decoded.extend((0..4).map(|skip| base64(&run[skip..])));
    }
    for run in visible.split(|unit| !unit.char.is_ascii_hexdigit()).filter(|run| run.len() >= SHORTEST_RUN) {
        decoded.extend((0..2).map(|skip| base16(&run[skip..])));
    }
    decoded
}

fn sextet(char: char) -> Option<u32> {
    Some(match char {
        'A'..='Z' => u32::from(char) - u32::from('A'),
        'a'..='z' => u32::from(char) - u32::from('a') + 26,
        '0'..='9' => u32::from(char) - u32::from('0') + 52,
        '+' | '-' => 62,
        '/' | '_' => 63,
        _ => return None,
    })
}

fn base64(run: &[Unit]) -> Vec<Unit> {
    let bytes = run.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, unit| bits << 6 | sextet(unit.char).unwrap_or_default());
        let bits = bits << (6 * (4 - four.len()));
        (0..four.len() - 1).map(move |number| byte(bits >> (16 - 8 * number), &four[number..=number + 1]))
    });
    bytes.collect()
}

fn base16(run: &[Unit]) -> Vec<Unit> {
    run.chunks_exact(2).filter_map(|two| Some(byte(hexadecimal(two)?, two))).collect()
}

/// The lowest byte of `bits`, made of some characters.
fn byte(bits: u32, units: &[Unit]) -> Unit {
    let char = char::from_u32(bits & 0xff).unwrap_or_default();
    Unit { char, start: units[0].start, end: units[units.len() - 1].end }
}
