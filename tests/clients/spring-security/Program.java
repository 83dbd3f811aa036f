// Spring Security's discovery of an issuer, the first step of a sign-in of its MCP clients.

import org.springframework.security.oauth2.client.registration.ClientRegistrations;

public class Program {
    public static void main(String[] arguments) {
        var registration = ClientRegistrations.fromIssuerLocation(arguments[0]).clientId("client").build();
        var provider = registration.getProviderDetails();
        System.out.println("{\"issuer\": \"" + provider.getIssuerUri()
                + "\", \"authorization\": \"" + provider.getAuthorizationUri()
                + "\", \"token\": \"" + provider.getTokenUri()
                + "\", \"method\": \"" + registration.getClientAuthenticationMethod().getValue() + "\"}");
    }
}
