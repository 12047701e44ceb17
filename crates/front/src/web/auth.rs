//! Passwords against bcrypt hashes: one at a time, remembered, and as slow for names that do not exist.

use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;
use ring::digest::{Context, SHA256};

/// Verdicts that are remembered; a random one makes room, as in the original.
const REMEMBERED_MAX: usize = 100;

/// The hash of a password nobody has, for names nobody has: an answer must not tell whether a name exists.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// Verified passwords. Only a digest of name, hash and password is kept.
#[derive(Default)]
pub struct Passwords {
    remembered: Mutex<HashMap<[u8; 32], bool>>,
    /// Hashing is slow by intention; a crowd of wrong passwords may take one processor, not all.
    turn: std::sync::Arc<tokio::sync::Mutex<()>>,
}

impl Passwords {
    /// Whether `password` is that of `user`.
    pub async fn verify(&self, users: &HashMap<String, String>, user: &str, password: &str) -> bool {
        let known = users.get(user);
        let hash = known.map_or(NOBODY, String::as_str);
        let key = digest(&[user, hash, password]);
        if let Some(verdict) = self.recall(&key) {
            return verdict;
        }
        let turn = self.turn.clone().lock_owned().await;
        if let Some(verdict) = self.recall(&key) {
            return verdict;
        }
        let (hash, password) = (hash.to_owned(), password.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        let verdict = checked.await.unwrap_or(false) && known.is_some();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX
            && let Some(any) = remembered.keys().next().copied()
        {
            remembered.remove(&any);
        }
        remembered.insert(key, verdict);
        verdict
    }

    fn recall(&self, key: &[u8; 32]) -> Option<bool> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
}

/// Lengths go in with the parts, so that no two different lists have the same bytes.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Refuses what is no bcrypt hash, in the words of Go's library.
pub fn check_hash(hash: &str) -> Result<(), String> {
    if hash.len() < 59 {
        return Err("crypto/bcrypt: hashedSecret too short to be a bcrypted password".into());
    }
    match hash.as_bytes() {
        [b'$', b'2', ..] => {}
        [b'$', version, ..] => {
            return Err(format!(
                "crypto/bcrypt: bcrypt algorithm version '{}' requested is newer than current version '2'",
                *version as char
            ));
        }
        _ => {
            let first = hash.chars().next().unwrap_or(' ');
            return Err(format!(
                "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '{first}'"
            ));
        }
    }
    let cost = hash.split('$').nth(2).and_then(|c| c.parse::<u32>().ok());
    match cost {
        Some(4..=31) if hash.parse::<bcrypt::HashParts>().is_ok() => Ok(()),
        Some(cost) if !(4..=31).contains(&cost) => {
            Err(format!("crypto/bcrypt: cost {cost} is outside allowed inclusive range 4..31"))
        }
        _ => Err("crypto/bcrypt: the hash is malformed".into()),
    }
}

/// Name and password of an `Authorization: Basic` header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn verdicts() {
        let passwords = Passwords::default();
        let users: HashMap<String, String> =
            [("alice".to_owned(), bcrypt::hash("secret", 4).unwrap())].into_iter().collect();
        for _ in 0..2 {
            assert!(passwords.verify(&users, "alice", "secret").await);
            assert!(!passwords.verify(&users, "alice", "Secret").await);
            assert!(!passwords.verify(&users, "bob", "secret").await);
            // The right word for the hash that stands in for unknown names opens nothing.
            assert!(!passwords.verify(&users, "bob", "fakepassword").await);
        }
        for i in 0..2 * REMEMBERED_MAX {
            passwords.remembered.lock().unwrap().insert(digest(&[&i.to_string()]), false);
        }
        assert!(passwords.verify(&users, "alice", "secret").await);
        // A new hash makes the old verdict worthless.
        let users: HashMap<String, String> =
            [("alice".to_owned(), bcrypt::hash("other", 4).unwrap())].into_iter().collect();
        assert!(!passwords.verify(&users, "alice", "secret").await);
    }

    #[test]
    fn headers() {
        assert_eq!(basic("Basic YTpiOmM="), Some(("a".into(), "b:c".into())));
        for bad in ["", "Basic", "Bearer YTpi", "Basic ###", "Basic YQ=="] {
            assert_eq!(basic(bad), None, "{bad}");
        }
    }

    #[test]
    fn hashes() {
        let check = |hash: &str, part: &str| assert!(check_hash(hash).unwrap_err().contains(part), "{hash}");
        assert!(check_hash(NOBODY).is_ok());
        check("secret", "too short");
        check(&NOBODY.replace("$2y", "$3y"), "newer than current version");
        check(&NOBODY.replace("$2y", "x2y"), "must start with '$'");
        check(&NOBODY.replace("$10$", "$99$"), "cost 99 is outside");
    }
}
