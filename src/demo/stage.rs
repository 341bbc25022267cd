//! What the demonstration runs on: sandbox, gateway and senders.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use super::files;
use crate::{
    app::{self, Ended, Strictness},
    clock::Clock,
    config::{Config, Environment, Flags},
    lifecycle::Shutdown,
    sandbox::{Running, Sandbox, Settings},
    sender::Sender,
    source::{Source, SourceFile, UnreadableSamples},
    store::Store,
    telemetry::start_logs,
};

/// The address that the made-up senders know; HubSpot signs it.
const PUBLIC_URL: &str = "https://hooks.colegio.example";

pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) sandbox_url: String,
    pub(super) gateway: Url,
    pub(super) admin: String,
    pub(super) public: Url,
    pub(super) store: Arc<dyn Store>,
    pub(super) sender: Sender,
    pub(super) clock: Clock,
    /// The same settings and secrets as the gateway's, on the senders' side.
    pub(super) sources: BTreeMap<&'static str, Source>,
    /// What stands in the URL that Kommo was given.
    pub(super) kommo_secret: String,
    shutdown: Shutdown,
    running: JoinSet<Result<(), Ended>>,
    quentli: Running,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Starts everything.
    pub(super) async fn set() -> anyhow::Result<Self> {
        let clock = Clock::system();
        let sandbox = Sandbox::new(Settings {
            clock: clock.clone(),
            ..Settings::default()
        });
        seed(&sandbox)?;
        let quentli = sandbox
            .start(([127, 0, 0, 1], 0).into())
            .await
            .context("no free loopback port for the sandbox")?;

        let folder = tempfile::tempdir().context("no temporary folder")?;
        let mappings = folder.path().join("mappings");
        files::write(&mappings).context("cannot write the source files")?;
        let kommo_secret = hex::encode(rand::random::<[u8; 16]>());
        let standard_secret = format!(
            "whsec_{}",
            BASE64_STANDARD.encode(rand::random::<[u8; 32]>())
        );
        let settings = folder.path().join("gateway.yaml");
        std::fs::write(&settings, "log: {format: human, level: 'off'}\n")?;
        let environment: Environment = [
            ("GATEWAY_CONFIG", settings.display().to_string()),
            ("GATEWAY_LISTEN", "127.0.0.1:0".to_owned()),
            ("GATEWAY_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("GATEWAY_MAPPINGS", mappings.display().to_string()),
            (
                "GATEWAY_DATA",
                folder.path().join("data").display().to_string(),
            ),
            ("GATEWAY_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("QUENTLI_API_KEY", "sk_demo".to_owned()),
            ("QUENTLI_API_URL", quentli.url()),
            (
                "HUBSPOT_CLIENT_SECRET",
                hex::encode(rand::random::<[u8; 18]>()),
            ),
            ("STANDARD_WEBHOOKS_SECRET", standard_secret),
            (
                "SCHOOL_SYSTEM_SECRET",
                hex::encode(rand::random::<[u8; 32]>()),
            ),
            ("KOMMO_URL_SECRET", kommo_secret.clone()),
        ]
        .into_iter()
        .collect();
        let config = Config::load(&Flags::default(), &environment)?;
        start_logs(&config.log);
        let mut sources = BTreeMap::new();
        for name in ["hubspot", "standard-webhooks", "school-system", "kommo"] {
            let file = SourceFile::read(
                &mappings.join(format!("{name}.yaml")),
                UnreadableSamples::Refuse,
            );
            let checked = file
                .checked
                .with_context(|| format!("{name}.yaml has mistakes"))?;
            sources.insert(name, checked.arm(&environment, folder.path())?);
        }
        let app = app::start(config, &environment, Strictness::Strict, clock.clone()).await?;
        let gateway: Url = format!("http://{}", app.listen()).parse()?;
        let admin = format!("http://{}", app.admin_listen());
        let store = app.store();
        let shutdown = Shutdown::new();
        let mut running = JoinSet::new();
        running.spawn(app.run(shutdown.clone()));
        Ok(Self {
            sandbox_url: quentli.url(),
            sandbox,
            gateway,
            admin,
            public: PUBLIC_URL.parse()?,
            store,
            sender: Sender::new()?,
            clock,
            sources,
            kommo_secret,
            shutdown,
            running,
            quentli,
            _folder: folder,
        })
    }

    /// Stops everything in order; the temporary folder goes with it.
    pub(super) async fn strike(mut self) {
        self.shutdown.begin();
        while let Some(ended) = self.running.join_next().await {
            if let Ok(Err(error)) = ended {
                super::screen::trouble(&format!("{:#}", anyhow::Error::new(error)));
            }
        }
        self.quentli.stop().await;
    }
}

/// The people whom Quentli knows. All are made up.
fn seed(sandbox: &Sandbox) -> anyhow::Result<()> {
    for customer in [
        json!({"username": "hubspot-301", "name": "Lucia Peña"}),
        json!({"id": "cus_1234567890abcdefghij", "username": "tut-G-1", "name": "Juan Pérez"}),
        json!({"username": "0000128765", "name": "María Ortega", "email": "mluz@example.com"}),
    ] {
        sandbox.add(&customer)?;
    }
    Ok(())
}
