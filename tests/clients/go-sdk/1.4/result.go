package main

import (
	"net/url"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

func result(query url.Values) *auth.AuthorizationResult {
	return &auth.AuthorizationResult{Code: query.Get("code"), State: query.Get("state")}
}
