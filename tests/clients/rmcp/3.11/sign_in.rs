use rmcp::transport::auth::{AuthorizationManager, AuthorizationRequest, OAuthState};

use crate::{CALLBACK, Store, ask};

/// Signs in with the contents of the store.
pub async fn sign_in(url: &str, store: Store) -> AuthorizationManager {
    let mut state = OAuthState::new(url, None).await.unwrap();
    if let OAuthState::Unauthorized(manager) = &mut state {
        manager.set_credential_store(store);
    }
    let request = AuthorizationRequest::new(CALLBACK).with_client_name("rmcp");
    state.start_authorization(request).await.unwrap();
    let end = ask(&state.get_authorization_url().await.unwrap());
    state.handle_callback_url(end.as_str()).await.unwrap();
    state.into_authorization_manager().unwrap()
}
