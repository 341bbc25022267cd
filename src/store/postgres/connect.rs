//! Makes connections: how each is set up, what keeps the gateway from trusting a server, and the errors of both, which say
//! what to do.

use std::{path::PathBuf, sync::Arc, time::Duration};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    address::{PostgresAddress, Tls},
    durable::{Durability, objection, off},
    fault::{Fault, READ_ONLY, told},
    hosts::{ALL, EACH, EachHost, is_read_only},
    lineage::{Known, Lineage},
    migrations, target,
};

/// Everything of ours lies in a schema of its own, so a database can be shared.
pub(super) const SCHEMA: &str = "quentli_gateway";

/// What a gateway calls itself where the server lists its sessions.
pub(super) const APPLICATION: &str = "quentli-gateway";

/// The first release with everything that is used; older ones are not maintained any more (postgresql.org/support/versioning).
const OLDEST: i32 = 140_000;

/// Settings of each session. A process that is stopped in the middle of a transaction holds its locks for three seconds at
/// most; a statement that waits or works for long gives up.
///
/// Every statement here takes few rows by an index, and its plan is made when tables may be empty still, of which reading them
/// whole is the best for the moment: the server is kept from that, and from compiling plans whose cost it misjudges, which
/// takes longer than they run.
const OPTIONS: &str = "-c search_path=quentli_gateway -c idle_in_transaction_session_timeout=3000 -c lock_timeout=5000 \
                       -c statement_timeout=10000 -c client_encoding=UTF8 -c timezone=UTC -c tcp_user_timeout=10000 \
                       -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// What [`OPTIONS`] must have made of a setting, to see that they arrived.
const PROOF: (&str, &str) = ("idle_in_transaction_session_timeout", "3s");

/// Why a store could not be opened. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "cannot connect to the database {database} ({what}); check that it runs, that its URL is right and that this machine may \
         reach it"
    )]
    Unreachable { database: String, what: String },
    #[error(
        "the database {database} refuses the user or the password; check `database` and the file or variable of its password"
    )]
    Password { database: String },
    #[error(
        "there is no database {database}; create it: CREATE DATABASE name OWNER user ENCODING 'UTF8' TEMPLATE template0"
    )]
    NoDatabase { database: String },
    #[error(
        "TLS to the database {database} failed ({what}); its certificate must be for this host name and from an authority that \
         this machine knows or that `sslrootcert` names; on a network that nobody else is on, `sslmode=disable` goes without"
    )]
    Tls { database: String, what: String },
    #[error("cannot read {path}, the certificates that `sslrootcert` names, as PEM", path = path.display())]
    Authorities { path: PathBuf },
    #[error(
        "between the gateway and the database {database} stands something like PgBouncer, which does not pass on the settings of a \
         session; connect to PostgreSQL itself (a gateway opens {connections} connections), and keep the pooler for others"
    )]
    Pooler {
        database: String,
        connections: usize,
    },
    #[error("the server is PostgreSQL {found}; 14 or newer is needed")]
    Old { found: String },
    #[error(
        "the database {database} has the encoding {found}; UTF8 is needed: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding { database: String, found: String },
    #[error("{}", objection(.setting))]
    NotDurable { setting: String },
    #[error("the database {database} cannot be used now: {}", READ_ONLY)]
    ReadOnly { database: String },
    #[error(
        "the tables were written by a newer release (format {found}; this release knows up to {known}); run that release or a later \
         one, or restore a backup made before the upgrade"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "gateways of an older release work on the database, which could not go on after this upgrade: {replicas}; stop them first, \
         then start this one"
    )]
    OlderRun { replicas: String },
    #[error("the user may not {what} in the database {database}; the owner of the database may")]
    Forbidden {
        database: String,
        what: &'static str,
    },
    #[error(
        "a store is on its way to the database {database}; run `quentli-gateway migrate-store` where that store is until it is through"
    )]
    Moving { database: String },
    #[error("the tables could not be brought to the newest format ({what})")]
    Migration { what: String },
}

/// Connections for each kind of work, so that none waits for another kind.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    /// Accepts, one transaction at a time.
    pub(super) accepting: Lender,
    pub(super) delivering: Lender,
    /// Reads and changes for people, and what is done for them in the background.
    pub(super) people: Lender,
    pub(super) leases: Lender,
    /// Looks whether the server is there, and what others accepted.
    pub(super) watching: Lender,
    pub(super) known: Arc<Known>,
}

const SIZES: [usize; 5] = [1, 4, 3, 2, 1];

/// How long somebody waits for a connection at most, its making included.
const LENT_WITHIN: Duration = Duration::from_secs(12);

/// Lends connections.
#[derive(Clone, Debug)]
pub(super) struct Lender(Pool);

impl Lender {
    pub(super) async fn get(&self) -> Result<Object, Fault> {
        let lent = tokio::time::timeout(LENT_WITHIN, self.0.get()).await;
        Ok(lent.map_err(|_| Fault::too_late())??)
    }

    /// Throws a connection away, so that the next has the settings of now.
    pub(super) async fn renew(&self) -> Result<(), Fault> {
        drop(Object::take(self.get().await?));
        Ok(())
    }
}

impl Pools {
    pub(super) fn new(address: &PostgresAddress) -> Result<Self, OpenError> {
        let known = Arc::<Known>::default();
        let lender = |size| pool(address, size, &known).map(Lender);
        let [accepting, delivering, people, leases, watching] = SIZES;
        Ok(Self {
            accepting: lender(accepting)?,
            delivering: lender(delivering)?,
            people: lender(people)?,
            leases: lender(leases)?,
            watching: lender(watching)?,
            known,
        })
    }

    pub(super) fn close(&self) {
        for pool in [
            &self.accepting,
            &self.delivering,
            &self.people,
            &self.leases,
            &self.watching,
        ] {
            pool.0.close();
        }
    }
}

fn pool(address: &PostgresAddress, size: usize, known: &Arc<Known>) -> Result<Pool, OpenError> {
    let mut config = address.config.clone();
    config.options(OPTIONS);
    // A connection that turned out bad is dropped by who met it, so none is tried out before it is lent.
    let manager_config = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match &address.tls {
        Tls::Off { .. } => {
            let each = EachHost::new(&config, NoTls);
            Manager::from_connect(config, each, manager_config)
        }
        Tls::Verified { authorities } => {
            let tls = MakeRustlsConnect::new(client_tls(authorities.as_ref())?);
            let each = EachHost::new(&config, tls);
            Manager::from_connect(config, each, manager_config)
        }
    };
    let pool = Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(5)))
        .create_timeout(Some(ALL))
        .post_create(Hook::async_fn({
            let known = Arc::clone(known);
            move |client, _| {
                let known = Arc::clone(&known);
                Box::pin(async move {
                    let seen = tokio::time::timeout(EACH, async {
                        are_set(client).await?;
                        let lineage = Lineage::of(client).await;
                        let is_admitted = known.admit(lineage);
                        is_admitted
                            .then_some(())
                            .ok_or_else(|| HookError::message(REPLACED))
                    });
                    seen.await
                        .unwrap_or_else(|_| Err(HookError::message(SILENT)))
                })
            }
        }))
        .pre_recycle(Hook::sync_fn({
            let known = Arc::clone(known);
            move |_, metrics| {
                let is_current = known.is_current(metrics.created);
                is_current
                    .then_some(())
                    .ok_or_else(|| HookError::message(REPLACED))
            }
        }))
        .build();
    pool.map_err(|error| OpenError::Migration {
        what: error.to_string(),
    })
}

const SILENT: &str = "the database did not answer in time";
const REPLACED: &str = "a former primary answers, in whose place a standby was promoted; it must not be written to: shut it down, \
                        or make it a standby of the new one";
const POOLER: &str = "the settings of the session did not arrive";

/// A pooler in between may take the settings and leave them out.
async fn are_set(client: &Client) -> Result<(), HookError> {
    let (setting, wanted) = PROOF;
    let row = client
        .query_one("SELECT current_setting($1)", &[&setting])
        .await
        .map_err(HookError::Backend)?;
    let found: String = row.try_get(0).map_err(HookError::Backend)?;
    if found == wanted {
        Ok(())
    } else {
        Err(HookError::message(POOLER))
    }
}

fn client_tls(authorities: Option<&PathBuf>) -> Result<ClientConfig, OpenError> {
    let builder = ClientConfig::builder();
    let Some(path) = authorities else {
        let failed = |error: rustls::Error| OpenError::Tls {
            database: String::new(),
            what: error.to_string(),
        };
        let config = builder.with_platform_verifier().map_err(failed)?;
        return Ok(config.with_no_client_auth());
    };
    let unreadable = || OpenError::Authorities { path: path.clone() };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|_| unreadable())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|_| unreadable())?;
        roots.add(certificate).map_err(|_| unreadable())?;
    }
    if roots.is_empty() {
        return Err(unreadable());
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Looks at the server, and brings its tables to the newest format.
pub(super) async fn prepare(
    pools: &Pools,
    address: &PostgresAddress,
    durability: Durability,
) -> Result<(), OpenError> {
    let database = address.told();
    let client = pools.people.0.get().await;
    let client = client.map_err(|error| refused(&database, &error))?;
    is_fit(&client, &database, durability).await?;
    migrations::run(&client, &database).await?;
    // Under the same session from which a move that begins later sees that somebody is here.
    target::is_whole(&client, &database).await
}

/// One connection at a time to a server that is fit. Nothing is changed there.
pub(super) async fn fit(
    address: &PostgresAddress,
    durability: Durability,
) -> Result<Pool, OpenError> {
    let database = address.told();
    let pool = pool(address, 1, &Arc::default())?;
    let client = pool.get().await;
    let client = client.map_err(|error| refused(&database, &error))?;
    is_fit(&client, &database, durability).await?;
    drop(client);
    Ok(pool)
}

async fn is_fit(client: &Object, database: &str, durability: Durability) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Unreachable {
        database: database.to_owned(),
        what: error.as_db_error().map_or_else(|| error.to_string(), told),
    };
    let sql = concat!(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                pg_encoding_to_char(encoding)::text, ",
        off!(),
        " FROM pg_database WHERE datname = current_database()"
    );
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
    if row.try_get::<_, i32>(0).map_err(failed)? < OLDEST {
        return Err(OpenError::Old { found: text(1)? });
    }
    let encoding = text(2)?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding {
            database: database.to_owned(),
            found: encoding,
        });
    }
    let off = row.try_get(3).map_err(failed)?;
    match durability.lacks(off) {
        None => Ok(()),
        Some(setting) => Err(OpenError::NotDurable { setting }),
    }
}

/// Why there is no connection.
pub(super) fn refused(database: &str, error: &PoolError) -> OpenError {
    let database = database.to_owned();
    let pooler = |database| OpenError::Pooler {
        database,
        connections: SIZES.iter().sum(),
    };
    let unreachable = |database, what: &str| OpenError::Unreachable {
        database,
        what: what.to_owned(),
    };
    let error = match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error,
        PoolError::PostCreateHook(HookError::Message(message)) if message == POOLER => {
            return pooler(database);
        }
        PoolError::PostCreateHook(HookError::Message(message)) => {
            return unreachable(database, message);
        }
        PoolError::Timeout(_) => return unreachable(database, "no answer in time"),
        other => return unreachable(database, &other.to_string()),
    };
    if is_read_only(error) {
        return OpenError::ReadOnly { database };
    }
    let Some(refusal) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let what = cause.unwrap_or_else(|| error.to_string());
        return if error.to_string().contains("TLS") {
            OpenError::Tls { database, what }
        } else {
            unreachable(database, &what)
        };
    };
    match refusal.code().code() {
        "28000" | "28P01" => OpenError::Password { database },
        "3D000" => OpenError::NoDatabase { database },
        // PgBouncer's words for a parameter that it does not pass on.
        _ if refusal.message().contains("unsupported startup parameter") => pooler(database),
        _ => unreachable(database, &told(refusal)),
    }
}
