// Package faults answers what Traefik itself has to say in words: a page for browsers, problem details for others
// (RFC 9457). Traefik loads it as a local plugin from the task's folder; nothing is compiled or downloaded.
package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%[1]s</title></head>
<body><main><h1>%[1]s</h1><p>%[2]s</p></main></body>
</html>
`

// Config is one kind of fault; Detail says what to do.
type Config struct {
	Status     int
	Detail     string
	RetryAfter string
}

// CreateConfig is called by Traefik.
func CreateConfig() *Config { return &Config{} }

type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

type fault struct{ config *Config }

// New is called by Traefik; the service behind is never asked.
func New(_ context.Context, _ http.Handler, config *Config, _ string) (http.Handler, error) {
	return &fault{config: config}, nil
}

func (f *fault) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	headers := answer.Header()
	headers.Set("Cache-Control", "no-store")
	headers.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	headers.Set("Vary", "Accept")
	headers.Set("X-Content-Type-Options", "nosniff")
	if f.config.RetryAfter != "" {
		headers.Set("Retry-After", f.config.RetryAfter)
	}
	title := http.StatusText(f.config.Status)
	if strings.Contains(request.Header.Get("Accept"), "text/html") {
		headers.Set("Content-Type", "text/html; charset=utf-8")
		answer.WriteHeader(f.config.Status)
		fmt.Fprintf(answer, page, title, f.config.Detail)
		return
	}
	headers.Set("Content-Type", "application/problem+json")
	answer.WriteHeader(f.config.Status)
	_ = json.NewEncoder(answer).Encode(problem{"about:blank", title, f.config.Status, f.config.Detail})
}
