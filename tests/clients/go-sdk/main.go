// The Go SDK: signs in, uses tools, and continues when its access token has expired.
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
	_ "unsafe" // for linkname

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// The clock by which tokens expire.
//
//go:linkname now golang.org/x/oauth2.timeNow
var now func() time.Time

var input = bufio.NewReader(os.Stdin)

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

func signIn(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	say(map[string]any{"open": args.URL})
	end, err := url.Parse(listen())
	if err != nil {
		return nil, err
	}
	return result(end.Query()), nil
}

func main() {
	ctx := context.Background()
	callback := "http://localhost:3142"
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		RedirectURL:              callback,
		AuthorizationCodeFetcher: signIn,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{ClientName: "Go SDK", RedirectURIs: []string{callback}},
		},
	})
	check(err)
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: os.Args[1], OAuthHandler: handler}, nil)
	check(err)

	call := func(name string, arguments map[string]any) {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: arguments})
		check(err)
		say(map[string]any{"tool": name, "text": result.Content[0].(*mcp.TextContent).Text})
	}
	listed, err := session.ListTools(ctx, nil)
	check(err)
	names := []string{}
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	say(map[string]any{"tools": names})
	call("hello_mcp", nil)
	call("save_snippet", map[string]any{"snippetname": "greeting", "snippet": "kept"})
	say(map[string]any{"waiting": true})
	later, err := strconv.Atoi(listen())
	check(err)
	now = func() time.Time { return time.Now().Add(time.Duration(later) * time.Second) }
	call("get_snippet", map[string]any{"snippetname": "greeting"})
	check(session.Close())
}
