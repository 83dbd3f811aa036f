//! rmcp: signs in, uses tools, and continues when its access token has expired.

mod sign_in;

use std::io::stdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthError, CredentialStore, InMemoryCredentialStore, StoredCredentials};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use url::Url;

pub const CALLBACK: &str = "http://127.0.0.1:45323/callback";

/// Stores a token and checks its expiry with a clock that tests can move.
#[derive(Clone, Default)]
pub struct Store {
    kept: Arc<InMemoryCredentialStore>,
    passed: Arc<AtomicU64>,
}

#[async_trait]
impl CredentialStore for Store {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let mut loaded = self.kept.load().await?;
        if let Some(credentials) = &mut loaded {
            let passed = self.passed.load(Ordering::SeqCst);
            credentials.token_received_at = credentials.token_received_at.map(|at| at - passed);
        }
        Ok(loaded)
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        self.kept.save(credentials).await
    }

    async fn clear(&self) -> Result<(), AuthError> {
        self.kept.clear().await
    }
}

fn listen() -> String {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Opens a page; returns the URL at which the browser stopped.
pub fn ask(address: &str) -> Url {
    println!("{}", json!({"open": address}));
    Url::parse(&listen()).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let store = Store::default();
    let manager = sign_in::sign_in(&url, store.clone()).await;
    let http = AuthClient::new(reqwest::Client::new(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await.unwrap();
    let call = async |name: &'static str, arguments: Value| {
        let request = CallToolRequestParams::new(name).with_arguments(arguments.as_object().unwrap().clone());
        let result = client.call_tool(request).await.unwrap();
        let text = &result.content[0].as_text().unwrap().text;
        println!("{}", json!({"tool": name, "text": text}));
    };
    let tools = client.list_all_tools().await.unwrap();
    println!("{}", json!({"tools": tools.iter().map(|tool| &tool.name).collect::<Vec<_>>()}));
    call("hello_mcp", json!({})).await;
    call("save_snippet", json!({"snippetname": "greeting", "snippet": "kept"})).await;
    println!("{}", json!({"waiting": true}));
    store.passed.store(listen().parse().unwrap(), Ordering::SeqCst);
    call("get_snippet", json!({"snippetname": "greeting"})).await;
    client.cancel().await.unwrap();
}
