//! What is shown of texts that hold secrets, in whatever form a server sends them back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "00xK/q+Tz_9-aBcD.e~fGh4iJ";

fn redactor() -> Redactor {
    let redactor = Redactor::default();
    redactor.hide(SECRET);
    redactor
}

fn shown(text: &str) -> String {
    redactor().shown(text, 300)
}

/// Each character of `secret` in a form of its own.
fn each(secret: &str, form: impl Fn(char) -> String) -> String {
    secret.chars().map(form).collect()
}

/// What servers make of a secret that they send back.
fn echoes(secret: &str) -> Vec<String> {
    let json = |text: &str| serde_json::json!(text).to_string();
    let half = secret.len() / 2;
    let percent = each(secret, |char| format!("%{:02x}", u32::from(char)));
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let basic = STANDARD.encode(format!("0oa1:{secret}"));
    vec![
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        secret.to_ascii_lowercase(),
        url.to_ascii_lowercase(),
        url::form_urlencoded::byte_serialize(url.as_bytes()).collect(),
        url,
        percent.to_ascii_uppercase(),
        percent,
        each(secret, |char| format!("\\u{:04X}", u32::from(char))),
        each(secret, |char| format!("\\u{{{:x}}}", u32::from(char))),
        each(secret, |char| format!("\\x{:02x}", u32::from(char))),
        each(secret, |char| format!("&#{};", u32::from(char))),
        each(secret, |char| format!("&#X{:x};", u32::from(char))),
        each(secret, |char| format!("\\{char}")),
        secret.replace('/', "\\/"),
        secret.replace('/', "&sol;").replace('+', "&plus;"),
        json(&json(secret)),
        each(secret, |char| format!("{char}\u{200b}")),
        each(secret, |char| format!("{char}\u{1b}")),
        each(secret, |char| format!("{char}\u{0}\u{202e}")),
        each(secret, |char| format!("{char} ")),
        each(secret, |char| format!("{char}\n")),
        format!("{} {}", &secret[..half], &secret[half..]),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(format!("a:{secret}")),
        URL_SAFE_NO_PAD.encode(format!("ab:{secret}:c")),
        url::form_urlencoded::byte_serialize(basic.as_bytes()).collect(),
        basic.as_bytes().chunks(19).map(|line| String::from_utf8_lossy(line) + "\r\n").collect(),
        basic,
        crate::hex(secret.as_bytes()).to_ascii_uppercase(),
        crate::hex(secret.as_bytes()),
    ]
}

/// The letters, digits and punctuation of a text, percent-encoding and escapes undone.
fn bare(text: &str) -> String {
    let text = unescaped(&units(text), Escapes::Json).unwrap_or_else(|| units(text));
    String::from_utf8(folded(text.iter().map(|unit| unit.char))).unwrap()
}

#[test]
fn a_secret_is_hidden_in_every_form_that_servers_send_back() {
    for echo in echoes(SECRET) {
        let text = shown(&format!("the token <{echo}> is wrong"));
        assert!(text.starts_with("the token <") && text.ends_with("> is wrong"), "{echo}: {text}");
        assert!(text.contains("***") && text.len() < 60, "{echo}: {text}");
    }
}

#[test]
fn a_part_of_a_secret_is_hidden_too() {
    assert_eq!(shown(&format!("it begins with {}", &SECRET[..12])), "it begins with ***");
    assert_eq!(shown(&format!("<{}…>", &SECRET[10..])), "<***…>");
}

#[test]
fn no_beginning_of_a_secret_is_left_where_a_text_is_cut() {
    for before in 0..=60 {
        for echo in echoes(SECRET) {
            let text = format!("{}{echo}{}", "-".repeat(before), "!".repeat(80));
            let shown = redactor().shown(&text, 60);
            assert!(!bare(&shown).contains(&bare(&SECRET[..4])), "{before} {echo}: {shown}");
        }
    }
}

#[test]
fn old_and_new_secrets_are_hidden_and_the_number_of_them_is_bounded() {
    let redactor = Redactor::default();
    let secret = |number: usize| format!("secret-number-{number:06}-of-many");
    redactor.hide("used-once-in-a-while-and-known");
    for number in 0..1_000 {
        redactor.hide_once(&format!("{}-proof", secret(number)));
    }
    assert_eq!(redactor.shown("used-once-in-a-while-and-known", 100), "***");
    for number in 0..1_000 {
        redactor.hide(&secret(number));
        redactor.hide(SECRET);
    }
    for known in [secret(999), secret(900), format!("{}-proof", secret(999)), SECRET.to_owned()] {
        assert_eq!(redactor.shown(&known, 100), "***");
    }
    let known = redactor.known.read().unwrap();
    assert_eq!(known.secrets.len(), REMEMBERED + ONCE_REMEMBERED);
    assert!(known.windows.len() < (REMEMBERED + ONCE_REMEMBERED) * 40, "{}", known.windows.len());
    assert!(!known.secrets.contains_key(secret(1).as_bytes()));
}

#[test]
fn a_short_secret_is_hidden_where_it_is_a_word_of_its_own() {
    let redactor = Redactor::default();
    for secret in ["Adm1n", "hunter2", "a", "", "ab", "token", "OKTA"] {
        redactor.hide(secret);
    }
    for (text, expected) in [
        ("hunter2 is wrong, as is `adm1n`", "*** is wrong, as is `***`"),
        ("pw=Hunter2&x", "pw=***&x"),
        ("an adm1nistrator of a lab has no token at Okta", "an adm1nistrator of a lab has no token at Okta"),
        ("Basic MG9hMTpodW50ZXIy!", "Basic ***!"),
        ("h%75nter2", "***"),
    ] {
        let shown = redactor.shown(text, 100);
        assert!(shown == expected || text.starts_with("Basic") && !shown.contains("odW50ZXIy"), "{shown}");
    }
}

#[test]
fn of_a_key_the_private_part_is_hidden() {
    let redactor = Redactor::default();
    redactor.hide(r#"{"kty":"EC","crv":"P-256","x":"publicpublicpublic","d":"privateprivateprivate"}"#);
    redactor.hide("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----\n");
    let shown = redactor.shown(
        r#"{"x":"publicpublicpublic","d":"privateprivateprivate"} PRIVATE KEY MIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w"#,
        300,
    );
    assert_eq!(shown, r#"{"x":"publicpublicpublic","d":"***"} PRIVATE KEY ***"#);
}

#[test]
fn what_moves_hides_or_reverses_text_is_shown_as_its_escape() {
    for (text, expected) in [
        ("a\u{1b}[2Kb", r"a\u{1b}[2Kb"),
        ("a\r\n{\"level\":\"info\"}\tb", r#"a\r\n{"level":"info"}\tb"#),
        ("\u{202e}gpj.exe\u{2066}", r"\u{202e}gpj.exe\u{2066}"),
        ("\u{9b}31m\u{0}\u{7f}", r"\u{9b}31m\u{0}\u{7f}"),
        ("zero\u{200b}width\u{feff}\u{e0041}\u{2028}", r"zero\u{200b}width\u{feff}\u{e0041}\u{2028}"),
        ("Grüße, 世界 👋", "Grüße, 世界 👋"),
    ] {
        assert_eq!(shown(text), expected);
        assert_eq!(shown(&shown(text)), expected, "shown again");
    }
    assert_eq!(redactor().shown_bytes(b"caf\xe9 \xf0\x9f", 100), r"caf\xe9 \xf0\x9f");
    assert_eq!(redactor().shown_lines("line 1\n\tline \u{1b}2", 50), "line 1\n\tline \\u{1b}2");
}

#[test]
fn a_long_text_is_cut_and_its_length_is_said() {
    let shown = redactor().shown(&"x".repeat(60_000), 300);
    assert_eq!(shown, format!("{}… (60000 characters)", "x".repeat(300)));
    assert_eq!(redactor().shown(&"y".repeat(300), 300), "y".repeat(300));
    let secrets = SECRET.repeat(1_000);
    assert_eq!(redactor().shown(&secrets, 300), format!("***… ({} characters)", secrets.len()));
}

#[test]
fn urls_keep_what_was_requested_and_lose_the_rest() {
    let url = Url::parse("https://me:pw@acme.okta.com/api/v1/users?after=00u1&limit=2&token=abc#x").unwrap();
    assert_eq!(redactor().url(&url), "https://acme.okta.com/api/v1/users?after=***&limit=2&token=***");
    let url = Url::parse(&format!("https://x.example/%30{}?limit={SECRET}", &SECRET[1..])).unwrap();
    assert_eq!(redactor().url(&url), "https://x.example/***?limit=***");
    assert!(redactor().reveals(url.as_str()));
    assert!(!redactor().reveals(&format!("https://x.example/{}", &SECRET[..20])));
}

#[test]
fn what_only_begins_like_a_key_is_hidden_as_a_whole() {
    for secret in [
        r#"{"api_token":"00cAnary/T0k3n+th4t"}"#,
        "-----BEGIN 00cAnary/T0k3n+th4t",
        r#"{"keys":[{"kty":"RSA","d":"00cAnary/T0k3n+th4t"}]}"#,
        "-----BEGIN PRIVATE KEY----- 00cAnary/T0k3n+th4t -----END PRIVATE KEY-----",
    ] {
        let redactor = Redactor::default();
        redactor.hide(secret);
        for echo in [secret, "00cAnary/T0k3n+th4t"] {
            let shown = redactor.shown(&format!("no {echo} here"), 300);
            assert!(!bare(&shown).contains("anaryt0k3n") && shown.contains("***"), "{shown}");
        }
    }
}

#[test]
fn an_address_with_a_short_secret_reveals_it() {
    let redactor = Redactor::default();
    redactor.hide("Ab3dEf7hXyz");
    assert!(redactor.reveals("https://x.example/users?after=Ab3dEf7hXyz"));
    assert!(redactor.reveals("https://x.example/users?after=Ab3d%45f7hXyz&x=1"));
    assert!(!redactor.reveals("https://x.example/users?after=Ab3dEf7h"));
}

fn secrets() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_~./+=-]{12,60}"
}

proptest! {
    #[test]
    fn a_secret_never_shows(secret in secrets(), around in ".{0,20}", form in 0..100_usize, limit in 5..200_usize) {
        let redactor = Redactor::default();
        redactor.hide(&secret);
        let echoes = echoes(&secret);
        let echo = &echoes[form % echoes.len()];
        let shown = redactor.shown(&format!("{around}{echo}{around}"), limit);
        prop_assert!(!bare(&shown).contains(&bare(&secret)), "{echo} {shown}");
        prop_assert!(!shown.contains(echo.as_str()) || echo.len() < WINDOW, "{echo} {shown}");
        prop_assert!(!shown.chars().any(char::is_control));
    }

    #[test]
    fn what_is_shown_can_be_shown_again(text in ".{0,80}", limit in 1..100_usize) {
        let shown = redactor().shown(&text, limit);
        prop_assert_eq!(redactor().shown(&shown, 1_000), shown);
    }

    #[test]
    fn nothing_makes_decoding_panic(text in r"([\\&%#xu{};=]|[0-9a-fA-F]|[A-Za-z+/]|\PC|.){0,60}") {
        redactor().shown(&text, 30);
    }
}
