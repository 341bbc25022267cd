//! Secrets that senders name: kept, never replaced, forgotten by a person only.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::JoinSet;

use super::Home;
use crate::{
    event::SourceName,
    store::{Learned, Store, StoreError},
};

fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

async fn learn(store: &dyn Store, name: &str, secret: &str) -> Learned {
    let at = "2026-03-02T12:00:00Z".parse().unwrap();
    let secret = SecretString::from(secret);
    store.learn_secret(&source(name), secret, at).await.unwrap()
}

async fn known(store: &dyn Store) -> Vec<(String, String)> {
    let secrets = store.learned_secrets().await.unwrap();
    secrets
        .into_iter()
        .map(|(name, secret)| (name.to_string(), secret.expose_secret().to_owned()))
        .collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, secret)| ((*name).to_owned(), (*secret).to_owned()))
        .collect()
}

pub(in crate::store) async fn a_learned_secret_stays_and_is_not_replaced(home: &dyn Home) {
    let store = home.open().await;
    assert_eq!(known(&*store).await, []);
    assert_eq!(learn(&*store, "crm", "first").await, Learned::New);
    assert_eq!(learn(&*store, "crm", "first").await, Learned::Same);
    assert_eq!(learn(&*store, "crm", "second").await, Learned::Other);
    assert_eq!(learn(&*store, "asana", "second").await, Learned::New);
    store.close().await;

    let store = home.open().await;
    let both = pairs(&[("asana", "second"), ("crm", "first")]);
    assert_eq!(known(&*store).await, both);
    assert_eq!(learn(&*store, "crm", "second").await, Learned::Other);
}

pub(in crate::store) async fn of_many_secrets_named_at_once_one_is_learned(home: &dyn Home) {
    let store: Arc<dyn Store> = home.open().await.into();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        calls.spawn(async move { learn(&*store, "crm", &format!("secret-{number}")).await });
    }
    let answers = calls.join_all().await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count(Learned::New), count(Learned::Other)), (1, 19));
    assert_eq!(known(&*store).await.len(), 1);
}

pub(in crate::store) async fn a_forgotten_secret_makes_room_for_another(home: &dyn Home) {
    let store = home.open().await;
    assert!(!store.forget_secret(&source("crm")).await.unwrap());
    learn(&*store, "crm", "first").await;
    learn(&*store, "asana", "other").await;
    assert!(store.forget_secret(&source("crm")).await.unwrap());
    assert!(!store.forget_secret(&source("crm")).await.unwrap());
    assert_eq!(known(&*store).await, pairs(&[("asana", "other")]));
    assert_eq!(learn(&*store, "crm", "second").await, Learned::New);
    store.close().await;
    let refused = store.forget_secret(&source("crm")).await;
    assert!(
        matches!(refused, Err(StoreError::Closed { .. })),
        "{refused:?}"
    );
    let store = home.open().await;
    let both = pairs(&[("asana", "other"), ("crm", "second")]);
    assert_eq!(known(&*store).await, both);
}
