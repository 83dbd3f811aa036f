use rmcp::transport::auth::{AuthorizationManager, OAuthState};

use crate::{CALLBACK, Store, ask};

/// Signs in with the contents of the store.
pub async fn sign_in(url: &str, store: Store) -> AuthorizationManager {
    let mut state = OAuthState::new(url, None).await.unwrap();
    if let OAuthState::Unauthorized(manager) = &mut state {
        manager.set_credential_store(store);
    }
    state.start_authorization(&[], CALLBACK, Some("rmcp")).await.unwrap();
    let end = ask(&state.get_authorization_url().await.unwrap());
    let value = |wanted| end.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
    state.handle_callback(&value("code"), &value("state")).await.unwrap();
    state.into_authorization_manager().unwrap()
}
