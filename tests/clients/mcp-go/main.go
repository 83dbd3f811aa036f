// mcp-go with the scopes of its own example: signs in, uses tools, and continues when its access token has expired.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

var (
	ctx   = context.Background()
	input = bufio.NewReader(os.Stdin)
)

func say(fact map[string]any) {
	line, err := json.Marshal(fact)
	check(err)
	fmt.Println(string(line))
}

func listen() string {
	line, err := input.ReadString('\n')
	check(err)
	return strings.TrimSpace(line)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// tokens stores a token and checks its expiry with a clock that tests can move.
type tokens struct {
	*transport.MemoryTokenStore
	passed time.Duration
}

func (t *tokens) GetToken(ctx context.Context) (*transport.Token, error) {
	token, err := t.MemoryTokenStore.GetToken(ctx)
	if err != nil {
		return nil, err
	}
	aged := *token
	aged.ExpiresAt = aged.ExpiresAt.Add(-t.passed)
	return &aged, nil
}

func signIn(handler *transport.OAuthHandler) {
	verifier, err := client.GenerateCodeVerifier()
	check(err)
	state, err := client.GenerateState()
	check(err)
	if handler.GetClientID() == "" {
		check(handler.RegisterClient(ctx, "mcp-go"))
	}
	address, err := handler.GetAuthorizationURL(ctx, state, client.GenerateCodeChallenge(verifier))
	check(err)
	say(map[string]any{"open": address})
	end, err := url.Parse(listen())
	check(err)
	query := end.Query()
	check(handler.ProcessAuthorizationResponse(ctx, query.Get("code"), query.Get("state"), verifier))
}

func main() {
	kept := &tokens{MemoryTokenStore: transport.NewMemoryTokenStore()}
	config := client.OAuthConfig{
		RedirectURI: "http://localhost:8085/oauth/callback",
		Scopes:      []string{"mcp.read", "mcp.write"},
		TokenStore:  kept,
		PKCEEnabled: true,
	}
	var connection *client.Client
	var err error
	if os.Args[2] == "sse" {
		connection, err = client.NewOAuthSSEClient(os.Args[1], config)
	} else {
		connection, err = client.NewOAuthStreamableHttpClient(os.Args[1], config)
	}
	check(err)
	if err = connection.Start(ctx); client.IsOAuthAuthorizationRequiredError(err) {
		signIn(client.GetOAuthHandler(err))
		err = connection.Start(ctx)
	}
	check(err)
	request := mcp.InitializeRequest{}
	request.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "mcp-go", Version: "1.0.0"}
	if _, err = connection.Initialize(ctx, request); client.IsOAuthAuthorizationRequiredError(err) {
		signIn(client.GetOAuthHandler(err))
		_, err = connection.Initialize(ctx, request)
	}
	check(err)

	call := func(name string, arguments map[string]any) {
		request := mcp.CallToolRequest{}
		request.Params.Name = name
		request.Params.Arguments = arguments
		result, err := connection.CallTool(ctx, request)
		check(err)
		say(map[string]any{"tool": name, "text": result.Content[0].(mcp.TextContent).Text})
	}
	listed, err := connection.ListTools(ctx, mcp.ListToolsRequest{})
	check(err)
	names := []string{}
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	say(map[string]any{"tools": names})
	call("hello_mcp", map[string]any{})
	call("save_snippet", map[string]any{"snippetname": "greeting", "snippet": "kept"})
	say(map[string]any{"waiting": true})
	seconds, err := strconv.Atoi(listen())
	check(err)
	kept.passed = time.Duration(seconds) * time.Second
	call("get_snippet", map[string]any{"snippetname": "greeting"})
	check(connection.Close())
}
