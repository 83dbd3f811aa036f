//! rmcp before 1.0: signs in, uses tools, and continues with a token that its application renews.

use std::io::stdin;

use rmcp::model::CallToolRequestParam;
use rmcp::service::RunningService;
use rmcp::transport::auth::{AuthClient, OAuthState};
use rmcp::transport::sse_client::SseClientConfig;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{SseClientTransport, StreamableHttpClientTransport};
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1:45324/callback";

fn listen() -> String {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

async fn call(client: &RunningService<RoleClient, ()>, name: &'static str, arguments: Value) {
    let request = CallToolRequestParam { name: name.into(), arguments: arguments.as_object().cloned() };
    let result = client.call_tool(request).await.unwrap();
    let text = &result.content[0].as_text().unwrap().text;
    println!("{}", json!({"tool": name, "text": text}));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (url, transport) = (arguments[1].clone(), &arguments[2]);
    let mut state = OAuthState::new(&url, None).await.unwrap();
    state.start_authorization(&[], CALLBACK, Some("rmcp")).await.unwrap();
    println!("{}", json!({"open": state.get_authorization_url().await.unwrap()}));
    let end = Url::parse(&listen()).unwrap();
    let value = |wanted| end.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
    state.handle_callback(&value("code"), &value("state")).await.unwrap();
    let http = AuthClient::new(reqwest::Client::new(), state.into_authorization_manager().unwrap());
    let manager = http.auth_manager.clone();
    let client = if transport == "sse" {
        let config = SseClientConfig { sse_endpoint: url.into(), ..Default::default() };
        ().serve(SseClientTransport::start_with_client(http, config).await.unwrap()).await.unwrap()
    } else {
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        ().serve(StreamableHttpClientTransport::with_client(http, config)).await.unwrap()
    };
    let tools = client.list_all_tools().await.unwrap();
    println!("{}", json!({"tools": tools.iter().map(|tool| &tool.name).collect::<Vec<_>>()}));
    call(&client, "hello_mcp", json!({})).await;
    call(&client, "save_snippet", json!({"snippetname": "greeting", "snippet": "kept"})).await;
    println!("{}", json!({"waiting": true}));
    listen();
    // It treats a token as valid forever unless its lifetime is 0 seconds, so the application renews it.
    manager.lock().await.refresh_token().await.unwrap();
    call(&client, "get_snippet", json!({"snippetname": "greeting"})).await;
    client.cancel().await.unwrap();
}
