use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

use super::scram::{Exchange, MESSAGE_BYTES_MAX, NONCE_BYTES};
use super::testing::{entry, proof};
use super::*;

/// The user of the example in RFC 7677, 3.
const PENCIL: &str = "[user.user]\npassword = \"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\"\n";
const SEED: [u8; 32] = [9; 32];
const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

fn users(text: &str) -> Users {
    Users::parse(text, &SEED).unwrap()
}

fn faults(text: &str) -> String {
    Users::parse(text, &SEED).unwrap_err().to_string()
}

fn exchange(users: &Users, header: &str, bare: &str, password: &str) -> Result<Principal, scram::Failure> {
    let (exchange, answer) = Exchange::begin(format!("{header}{bare}").as_bytes(), &NONCE, users)?;
    exchange.finish(proof(header, bare, &answer, password).as_bytes()).map(|(principal, _)| principal)
}

#[test]
fn the_example_of_rfc_7677() {
    // Its server's nonce is no Base64 of 18 bytes, so the last step is taken from the state before it.
    let users = users(PENCIL);
    let (_, answer) = Exchange::begin(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", &NONCE, &users).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("r=rOprNGfwEbeRWgbNEkqO"), "{answer}");
    assert!(answer.ends_with(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), "{answer}");
    let exchange = Exchange::of_rfc_7677(&users);
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let (principal, answer) = exchange.finish(last).unwrap();
    assert_eq!(principal.name, "user");
    assert_eq!(answer, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn right_and_wrong() {
    let users = users(&(entry("ada", "pencil") + &entry("a,b=c", "x")));
    assert_eq!(exchange(&users, "n,,", "n=ada,r=abc", "pencil").unwrap().name, "ada");
    assert_eq!(exchange(&users, "y,,", "n=ada,r=abc", "pencil").unwrap().name, "ada");
    assert_eq!(exchange(&users, "n,a=ada,", "n=ada,r=abc,t=x", "pencil").unwrap().name, "ada");
    assert_eq!(exchange(&users, "n,,", "n=a=2Cb=3Dc,r=abc", "x").unwrap().name, "a,b=c");
    let failed = |header, bare, password| exchange(&users, header, bare, password).unwrap_err();
    assert_eq!(failed("n,,", "n=ada,r=abc", "Pencil").why, Denied::WrongPassword);
    let unknown = failed("n,,", "n=eve,r=abc", "pencil");
    assert_eq!((unknown.user.as_deref(), unknown.why), (Some("eve"), Denied::UnknownUser));
}

#[test]
fn unknown_names_look_like_others() {
    let users = users(&entry("ada", "pencil"));
    let shown = |name: &str| {
        let first = format!("n,,n={name},r=abc");
        String::from_utf8(Exchange::begin(first.as_bytes(), &NONCE, &users).unwrap().1).unwrap()
    };
    assert_eq!(shown("eve"), shown("eve"));
    assert_ne!(shown("eve"), shown("bob"));
    assert_eq!(shown("eve").len(), shown("ada").len());
    assert!(shown("eve").ends_with(",i=4096"));
    // With a secret of its own the file tells the salts, whenever it is read.
    let text = format!("secret = \"{}\"\n{}", BASE64.encode([1; 32]), entry("ada", "pencil"));
    let salt = |seed| Users::parse(&text, &seed).unwrap().verifier("eve").0.salt;
    assert_eq!(salt([1; 32]), salt([2; 32]));
}

#[test]
fn first_messages_that_are_none() {
    let users = users(PENCIL);
    for (message, why) in [
        ("", "wrong form"),
        ("n", "wrong form"),
        ("x,,n=user,r=abc", "wrong form"),
        ("p=tls-unique,,n=user,r=abc", "channel binding is not offered"),
        ("n,user,n=user,r=abc", "wrong form"),
        ("n,a=root,n=user,r=abc", "acting for others"),
        ("n,,m=x,n=user,r=abc", "mandatory extension"),
        ("n,,n=user,r=abc,m=x", "mandatory extension"),
        ("n,,n=user,r=abc,xyz", "extension of a wrong form"),
        ("n,,n=user", "wrong form"),
        ("n,,r=abc,n=user", "wrong form"),
        ("n,,n=user,r=", "wrong form"),
        ("n,,n=user,r=a\u{7f}", "wrong form"),
        ("n,,n=user,r=é", "wrong form"),
        ("n,,n=us=er,r=abc", "wrong escape"),
        ("n,,n=us=2cer,r=abc", "wrong escape"),
        ("n,,n=,r=abc", "cannot be one"),
        ("n,,n=\u{7},r=abc", "cannot be one"),
    ] {
        let said = Exchange::begin(message.as_bytes(), &NONCE, &users).unwrap_err().why.to_string();
        assert!(said.contains(why), "{message}: {said}");
    }
    let long = format!("n,,n=user,r={}", "x".repeat(MESSAGE_BYTES_MAX));
    assert!(Exchange::begin(long.as_bytes(), &NONCE, &users).is_err());
    assert!(Exchange::begin(b"n,,n=user,r=\xff", &NONCE, &users).is_err());
}

#[test]
fn last_messages_that_are_none() {
    let users = users(PENCIL);
    let first = "n=user,r=abc";
    let begin = || Exchange::begin(format!("n,,{first}").as_bytes(), &NONCE, &users).unwrap();
    let good = proof("n,,", first, &begin().1, "pencil");
    assert!(begin().0.finish(good.as_bytes()).is_ok());
    for (from, to) in [
        ("c=biws", "c=eSws"),
        ("c=biws", "c="),
        ("c=biws", "d=biws"),
        ("r=abc", "r=abd"),
        ("r=abc", "r=ab"),
        (",p=", ",q="),
        (",p=", ",m=x,p="),
        (",p=", ",x=1,p="),
        (",p=", ",p=A"),
        ("c=biws,", ""),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert!(begin().0.finish(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(begin().0.finish(&[b'x'; MESSAGE_BYTES_MAX + 1]).is_err());
}

#[test]
fn passwords() {
    let users = users(&entry("ada", "IX"));
    let of = |user: &str, password: &[u8]| Credentials { user: user.into(), password: password.to_vec() };
    assert_eq!(users.recall(&of("ada", b"IX")), None);
    assert_eq!(users.check(&of("ada", b"IX")).unwrap().name, "ada");
    assert_eq!(users.recall(&of("ada", b"IX")).unwrap().name, "ada");
    assert_eq!(users.recall(&of("ada", b"ix")), None);
    assert!(users.check(&of("ada", "\u{2168}".as_bytes())).is_ok(), "another spelling of the same");
    assert_eq!(users.check(&of("ada", b"ix")), Err(Denied::WrongPassword));
    assert_eq!(users.check(&of("eve", b"IX")), Err(Denied::UnknownUser));
    assert_eq!(users.check(&of("ada", b"")), Err(Denied::Unreadable));
    assert_eq!(users.check(&of("ada", &[0xff])), Err(Denied::Unreadable));
    assert_eq!(users.check(&of("ada", &[b'x'; 2_000])), Err(Denied::Unreadable));
    assert!(!format!("{:?}", of("ada", b"hunter2")).contains("hunter"));
}

#[test]
fn faults_have_a_place() {
    assert!(
        faults("[user.ada]\npasword = \"x\"\n").contains(":2:1: unknown key `pasword` of a user: did you")
    );
    assert!(faults("[user.ada]\npassword = \"secret\"\n").contains(":2:12: `password`: not a SCRAM-SHA-256"));
    assert!(faults("[user.ada]\npassword = 7\n").contains(":2:12: `password` is a text"));
    assert!(faults("[user.ada]\n").contains(":1:7: user `ada` has no `password`"));
    assert!(faults("[users.ada]\n").contains(":1:2: unknown key `users`: a user is written as [user.NAME]"));
    assert!(faults("user = 1\n").contains(":1:1: a user is written"));
    assert!(faults("[[user]]\npassword = \"x\"\n").contains(":1:1: a user without `name`"));
    assert!(faults("secret = \"x\"\n").contains(":1:10: `secret` is 32 bytes"));
    assert!(faults("[user.ada\n").starts_with(":1:10: "), "{}", faults("[user.ada\n"));
    assert!(faults("[user.\"a\\u0007\"]\n").contains("is no user name"));
    let twice = entry("IX", "x") + &entry("\u{2168}", "x");
    assert!(faults(&twice).contains(":3:7: user"), "{}", faults(&twice));
    assert_eq!(faults("[user.a]\n[user.b]\n").lines().count(), 2);
}

#[test]
fn others_that_can_read_the_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    fs::write(&file, PENCIL).unwrap();
    let with = |mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        Users::load(&file, &SEED).unwrap()
    };
    assert_eq!((with(0o600).warnings.len(), with(0o600).users.len()), (0, 1));
    assert!(with(0o644).warnings[0].contains("chmod 600"));
    assert!(Users::load(folder.path(), &SEED).unwrap_err().to_string().contains("not a file"));
    assert!(Users::load(&folder.path().join("none"), &SEED).is_err());
}

#[test]
fn a_file_is_changed_and_the_rest_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    let of = |password| Verifier::derive(password, &[1; 16], 4_096);
    let mut file = UsersFile::open(&path).unwrap();
    assert!(!file.is_there());
    for name in ["ada", "bob", "a b\"\\c"] {
        file.add(name, &of(name)).unwrap();
    }
    assert!(matches!(file.add("ada", &of("x")), Err(EditError::Exists(_))));
    file.save().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap().replace("[user.bob]", "# the builder\n[user.bob] # Bob");
    fs::write(&path, &text).unwrap();

    let mut file = UsersFile::open(&path).unwrap();
    assert_eq!(file.list(), [("a b\"\\c", 4_096), ("ada", 4_096), ("bob", 4_096)]);
    file.set("bob", &of("new")).unwrap();
    file.remove("ada").unwrap();
    assert!(matches!(file.remove("ada"), Err(EditError::Missing(_))));
    assert!(matches!(file.set("\u{7}", &of("x")), Err(EditError::Name(_))));
    file.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("[user.bob] # Bob") && !text.contains("ada"), "{text}");
    let read = Users::load(&path, &SEED).unwrap();
    assert!(read.warnings.is_empty());
    assert!(read.users.verifier("bob").0.is_of("new"));
    assert_eq!(read.users.len(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    let mut late = UsersFile::open(&path).unwrap();
    late.remove("bob").unwrap();
    fs::write(&path, PENCIL).unwrap();
    assert!(matches!(late.save(), Err(EditError::Changed)));
}

#[test]
fn other_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    let verifier = Verifier::derive("x", &[1; 16], 4_096);
    fs::write(&path, format!("[[user]]\nname = \"ada\"\npassword = '{verifier}'\n")).unwrap();
    let mut file = UsersFile::open(&path).unwrap();
    file.add("bob", &verifier).unwrap();
    file.remove("ada").unwrap();
    assert_eq!(file.list(), [("bob", 4_096)]);
    fs::write(&path, format!("user = {{ ada = {{ password = \"{verifier}\" }} }}\n")).unwrap();
    let mut file = UsersFile::open(&path).unwrap();
    assert!(matches!(file.remove("ada"), Err(EditError::ByHand)));
    assert!(matches!(file.add("bob", &verifier), Err(EditError::ByHand)));
}

proptest! {
    #[test]
    fn no_message_makes_trouble(first in ".{0,60}", last in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let users = users(PENCIL);
        let _ = Exchange::begin(&bytes, &NONCE, &users);
        let _ = Exchange::begin(format!("n,,n=user,r=a{first}").as_bytes(), &NONCE, &users);
        for last in [last.as_bytes(), &bytes, format!("c=biws,r=a,{last},p=").as_bytes()] {
            let (exchange, _) = Exchange::begin(b"n,,n=user,r=a", &NONCE, &users).unwrap();
            prop_assert!(exchange.finish(last).is_err());
        }
    }

    #[test]
    fn no_file_makes_trouble(text in "(\\[user\\.[a-z]{1,3}\\]\n|password = \"?.{0,9}\"?\n|secret = .{0,5}\n){0,6}") {
        let _ = Users::parse(&text, &SEED);
    }

    #[test]
    fn whoever_knows_the_password_gets_in(name in "[ -~]{1,20}", password in "[ -~]{1,20}", other in "[ -~]{1,20}") {
        let name = format!("x{name}");
        let toml = name.replace('\\', "\\\\").replace('"', "\\\"");
        let users = users(&entry(&toml, &password));
        let bare = format!("n={},r=abc", name.replace('=', "=3D").replace(',', "=2C"));
        prop_assert_eq!(exchange(&users, "n,,", &bare, &password).unwrap().name, name);
        prop_assert_eq!(exchange(&users, "n,,", &bare, &other).is_ok(), other == password);
    }
}
