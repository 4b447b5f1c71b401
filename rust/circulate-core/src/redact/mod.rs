//! The one way of text from outside to anybody's eyes: control characters become escapes, secrets become `***`, and what
//! is too long is cut. In this order, so that nothing hides a secret, and no beginning of one is left at a cut.
//!
//! Servers echo credentials in many forms: percent-encoded, in Base64, with JSON or HTML escapes, in another case, with
//! a character in between, in two pieces. So a text is compared in every form that it decodes to, by its letters, digits
//! and punctuation alone, and any [`WINDOW`] characters in a row of a secret count as one.
//!
//! Every [`Secret`](crate::secrets::Secret) is known to the redactor of the process from the time it exists, and every
//! [`Error`](crate::error::Error), note and name of a gap passes it when it is made a text.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{LazyLock, PoisonError, RwLock};

use url::Url;

use self::decode::{Escapes, Unit, decoded_runs, unescaped, units};

mod decode;

/// Characters in a row of a secret that are hidden, wherever they stand. A shorter secret is hidden as a whole.
const WINDOW: usize = 12;
/// A secret of fewer characters is hidden where it stands as a word of its own: inside of other words it is not an echo. One
/// that is nothing but letters of one case is a word of some language, which no text could do without.
const SHORT: usize = 8;
/// A text of fewer characters is not a secret worth the name.
const SHORTEST: usize = 3;
/// Secrets that are remembered, of those used last: tokens are renewed.
const REMEMBERED: usize = 128;
/// As many of those that are used once, such as proofs.
const ONCE_REMEMBERED: usize = 32;
/// How often a text is decoded: what was encoded more often is not read back by accident.
const ROUNDS: usize = 4;
/// What stands for a secret.
const HIDDEN: &str = "***";
/// Query parameters whose values say what was requested and nothing about anyone.
const PLAIN_PARAMETERS: [&str; 6] = ["limit", "filter", "since", "until", "sortOrder", "type"];

/// Makes texts fit to be shown, and hides the secrets it knows, wherever they turn up.
#[derive(Default)]
pub struct Redactor {
    known: RwLock<KnownSecrets>,
}

/// The secrets, as they are looked for.
#[derive(Default)]
struct KnownSecrets {
    /// By their characters, folded.
    secrets: HashMap<Vec<u8>, Use>,
    uses: u64,
    /// All that count as an echo, and of how many secrets they are a part.
    windows: HashMap<EchoWindow, u32>,
    /// How long these are.
    lengths: BTreeSet<usize>,
}

/// How a secret is used: when it was last, counted in uses of all, and whether it is used once.
#[derive(Clone, Copy)]
struct Use {
    last: u64,
    once: bool,
}

/// Up to [`WINDOW`] characters in a row, and how many they are.
type EchoWindow = (u128, usize);

static SHARED: LazyLock<Redactor> = LazyLock::new(Redactor::default);

impl Redactor {
    /// The redactor of this process, to which every secret is known that the process uses.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// Hides `secret` from now on. What is too short to be one is ignored.
    pub fn hide(&self, secret: &str) {
        self.remember(secret, false);
    }

    /// Hides a secret that is used once and replaced by others, which must not crowd out those that stay.
    pub fn hide_once(&self, secret: &str) {
        self.remember(secret, true);
    }

    fn remember(&self, secret: &str, once: bool) {
        for part in secret_parts(secret) {
            let is_word = part.chars().all(char::is_lowercase) || part.chars().all(char::is_uppercase);
            let folded = folded(units(&part).iter().map(|unit| unit.char));
            if folded.len() >= SHORT || folded.len() >= SHORTEST && !is_word {
                self.known.write().unwrap_or_else(PoisonError::into_inner).remember(folded, once);
            }
        }
    }

    /// `text` on one line of at most `limit` characters: control characters, bidirectional overrides and what has no
    /// width as escapes, secrets as `***`. A text that was cut says how long it was.
    pub fn shown(&self, text: &str, limit: usize) -> String {
        self.fit(text, limit, false)
    }

    /// The same of bytes that may be no UTF-8, such as those of a header.
    pub fn shown_bytes(&self, bytes: &[u8], limit: usize) -> String {
        self.shown(&text_of(bytes), limit)
    }

    /// `text` with its line breaks and tabs, as an excerpt of a file of the user's has them.
    pub fn shown_lines(&self, text: &str, limit: usize) -> String {
        self.fit(text, limit, true)
    }

    /// Whether a whole secret stands in `text`, in whatever form.
    pub fn reveals(&self, text: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (long, short): (Vec<_>, Vec<_>) = known
            .secrets
            .keys()
            .filter(|secret| secret.len() >= SHORT)
            .partition(|secret| secret.len() >= WINDOW);
        forms(&units(text)).iter().any(|form| {
            let folded = folded(form.iter().map(|unit| unit.char));
            let holds =
                |secret: &&Vec<u8>| folded.windows(secret.len()).any(|window| window == secret.as_slice());
            short.iter().any(holds)
                || folded.windows(WINDOW).enumerate().any(|(at, window)| {
                    // Few texts hold as much as the beginning of one.
                    let begins = known.windows.contains_key(&packed(window));
                    begins && long.iter().any(|secret| folded[at..].starts_with(secret))
                })
        })
    }

    /// The URL without user info and fragment, and with `***` for the values of unknown query parameters.
    pub fn url(&self, url: &Url) -> String {
        let mut shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let pairs: Vec<_> =
            url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
        for (index, pair) in pairs.iter().enumerate() {
            let name = pair.split('=').next().unwrap_or_default();
            shown.push(if index == 0 { '?' } else { '&' });
            if PLAIN_PARAMETERS.contains(&name) {
                shown.push_str(pair);
            } else {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
        }
        self.shown(&shown, 500)
    }

    /// The text with escapes, without secrets, and cut. Of a text that will be cut, only so much is looked at as may be shown.
    fn fit(&self, text: &str, limit: usize, lines: bool) -> String {
        let end = text.char_indices().nth(limit.saturating_mul(4).saturating_add(4096)).map(|(at, _)| at);
        let seen = &text[..end.unwrap_or(text.len())];
        let hidden = self.known.read().unwrap_or_else(PoisonError::into_inner).found_in(seen);
        let (mut clean, mut at) = (String::with_capacity(seen.len()), 0);
        for (start, end) in hidden {
            escape(&seen[at..start], lines, &mut clean);
            clean.push_str(HIDDEN);
            at = end;
        }
        escape(&seen[at..], lines, &mut clean);
        let over = clean.char_indices().nth(limit).map(|(at, _)| at);
        if over.is_none() && end.is_none() {
            return clean;
        }
        clean.truncate(over.unwrap_or(clean.len()));
        format!("{clean}… ({} characters)", text.chars().count())
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl KnownSecrets {
    fn remember(&mut self, secret: Vec<u8>, once: bool) {
        self.uses += 1;
        if let Some(used) = self.secrets.get_mut(&secret) {
            used.last = self.uses;
            return;
        }
        let alike = || self.secrets.iter().filter(|(_, used)| used.once == once);
        if alike().count() >= if once { ONCE_REMEMBERED } else { REMEMBERED } {
            let oldest = alike().min_by_key(|(_, used)| used.last).map(|(secret, _)| secret.clone());
            if let Some(oldest) = oldest {
                self.forget(&oldest);
            }
        }
        for window in windows(&secret) {
            *self.windows.entry(window).or_default() += 1;
        }
        self.secrets.insert(secret, Use { last: self.uses, once });
        self.lengths = self.windows.keys().map(|(_, length)| *length).collect();
    }

    fn forget(&mut self, secret: &[u8]) {
        self.secrets.remove(secret);
        for window in windows(secret) {
            if let Some(count) = self.windows.get_mut(&window) {
                *count -= 1;
                if *count == 0 {
                    self.windows.remove(&window);
                }
            }
        }
    }

    /// Where secrets stand in `text`, as byte ranges in order that do not overlap.
    fn found_in(&self, text: &str) -> Vec<(usize, usize)> {
        // No form of a text is longer than the text.
        if self.lengths.first().is_none_or(|shortest| text.len() < *shortest) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for form in forms(&units(text)) {
            self.find(&form, &mut found);
        }
        found.sort_unstable();
        found.into_iter().fold(Vec::new(), |mut joined: Vec<(usize, usize)>, (start, end)| {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
            joined
        })
    }

    fn find(&self, form: &[Unit], found: &mut Vec<(usize, usize)>) {
        let positions: Vec<_> = (0..form.len()).filter(|at| counts(form[*at].char)).collect();
        let folded = folded(form.iter().map(|unit| unit.char));
        // A character outside ASCII takes several bytes; it is rare enough to be compared by its position alone.
        let positions: Vec<_> = positions
            .iter()
            .flat_map(|at| std::iter::repeat_n(*at, form[*at].char.to_ascii_lowercase().len_utf8()))
            .collect();
        for length in &self.lengths {
            for (first, window) in folded.windows(*length).enumerate() {
                let (from, to) = (positions[first], positions[first + length - 1]);
                let whole = *length >= SHORT || is_word(form, from, to);
                if self.windows.contains_key(&packed(window)) && whole {
                    found.push((form[from].start, form[to].end));
                }
            }
        }
    }
}

/// Whether what stands from one place to another is a word of its own.
fn is_word(form: &[Unit], from: usize, to: usize) -> bool {
    let within = |at: Option<&Unit>| at.is_some_and(|unit| unit.char.is_alphanumeric());
    let apart = form[from..=to].iter().any(|unit| unit.char.is_whitespace());
    !apart && !within(from.checked_sub(1).and_then(|at| form.get(at))) && !within(form.get(to + 1))
}

/// The text itself, and all that it may be read as.
fn forms(text: &[Unit]) -> Vec<Vec<Unit>> {
    let mut forms = vec![text.to_vec()];
    let mut newest = text.to_vec();
    for _ in 0..ROUNDS {
        let runs = decoded_runs(&newest);
        // What was wrapped twice, such as JSON with a percent-encoded text in it.
        forms.extend(runs.iter().filter_map(|run| unescaped(run, Escapes::Json)));
        forms.extend(runs);
        forms.extend(unescaped(&newest, Escapes::Quoted));
        let Some(next) = unescaped(&newest, Escapes::Json) else { break };
        forms.push(next.clone());
        newest = next;
    }
    forms
}

/// What of a secret must not be seen: of a key its private part, of a phrase each way in which forms send it.
fn secret_parts(secret: &str) -> Vec<Cow<'_, str>> {
    let text = secret.trim();
    if text.starts_with("-----BEGIN") {
        let lines = text.lines().filter(|line| !line.contains("-----") && !line.contains(':'));
        let private: String = lines.collect();
        // A token, or a key on one line, may begin like this too.
        return vec![if private.trim().is_empty() { secret.into() } else { private.into() }];
    }
    if text.starts_with('{')
        && let Ok(serde_json::Value::Object(key)) = serde_json::from_str(text)
    {
        // Of the key file of a service account of Google the rest is addresses that others have too.
        let pem = key.get("private_key").and_then(|pem| pem.as_str());
        if let Some(pem) = pem.filter(|_| key.get("type").is_some_and(|kind| kind == "service_account")) {
            return secret_parts(pem).into_iter().map(|part| part.into_owned().into()).collect();
        }
        let private =
            ["d", "p", "q", "dp", "dq", "qi", "k"].into_iter().filter_map(|name| key.get(name)?.as_str());
        let private: Vec<_> = private.map(|part| part.to_owned().into()).collect();
        // JSON of another kind, such as what a secret store shows: all of it is secret.
        if !private.is_empty() {
            return private;
        }
    }
    let as_form = secret.contains(' ').then(|| secret.replace(' ', "+").into());
    std::iter::once(secret.into()).chain(as_form).collect()
}

/// The characters that secrets are compared by.
fn counts(char: char) -> bool {
    char.is_ascii_graphic() || !char.is_ascii() && char.is_alphanumeric()
}

/// These, in one case.
fn folded(chars: impl Iterator<Item = char>) -> Vec<u8> {
    chars.filter(|char| counts(*char)).map(|char| char.to_ascii_lowercase()).collect::<String>().into_bytes()
}

fn windows(secret: &[u8]) -> impl Iterator<Item = EchoWindow> {
    secret.windows(secret.len().min(WINDOW)).map(packed)
}

fn packed(window: &[u8]) -> EchoWindow {
    (window.iter().fold(0, |packed, byte| packed << 8 | u128::from(*byte)), window.len())
}

/// Bytes as text, those that are not UTF-8 as escapes.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
        text
    })
}

/// Appends `text` with escapes for what would move, hide or reverse what stands around it.
fn escape(text: &str, lines: bool, clean: &mut String) {
    for char in text.chars() {
        match char {
            '\n' | '\t' if lines => clean.push(char),
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            _ if char.is_control() || is_invisible(char) => {
                // Writing to a string cannot fail.
                let _ = write!(clean, "{}", char.escape_unicode());
            }
            _ => clean.push(char),
        }
    }
}

/// Line and paragraph separators, and characters that take no place or change the direction of what follows.
fn is_invisible(char: char) -> bool {
    matches!(
        u32::from(char),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff
    )
}

#[cfg(test)]
#[path = "tests/redact.rs"]
mod tests;
