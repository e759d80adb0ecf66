// Package faults says in words what Traefik itself has to refuse: a page for browsers, problem details for others
// (RFC 9457). Traefik loads it as a local plugin from the task's folder; nothing is compiled or downloaded.
package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%[1]s</title></head>
<body><main><h1>%[1]s</h1><p>%[2]s</p></main></body>
</html>
`

const (
	unclear    = "This address has characters that can be read in two ways. Check it, or start again from the first page."
	incomplete = "The body arrived incomplete or damaged. Send the request again."
	crowded    = "The request has too many headers. Send fewer."
	late       = "The body did not arrive in time. Send the request again over a better connection."
)

// What Traefik and the API might read differently where it is encoded: / \ NUL ; % ? #
var unclearInPaths = []string{"%2f", "%5c", "%00", "%3b", "%25", "%3f", "%23"}

// The API's server takes a hundred and says nothing to those who send more; some are added on the way.
const headersMax = 80

// Traefik's status for a client that has ended its side of the connection.
const clientClosed = 499

// Config is one kind of fault, for every request; Detail says what to do. Without a Status requests pass, and only those
// that the client sent wrong are refused.
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

type guard struct{ next http.Handler }

// New is called by Traefik. With a Status the service behind is never asked.
func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
	if config.Status == 0 {
		return &guard{next: next}, nil
	}
	return &fault{config: config}, nil
}

func (f *fault) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if f.config.RetryAfter != "" {
		answer.Header().Set("Retry-After", f.config.RetryAfter)
	}
	refuse(answer, request, f.config.Status, f.config.Detail)
}

func (g *guard) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if isUnclear(request.URL) {
		refuse(answer, request, http.StatusBadRequest, unclear)
		return
	}
	if countHeaders(request.Header) > headersMax {
		refuse(answer, request, http.StatusRequestHeaderFieldsTooLarge, crowded)
		return
	}
	// Without a body the answer may be a stream, which a watched answer would hold back to its end.
	if request.ContentLength == 0 {
		g.next.ServeHTTP(answer, request)
		return
	}
	body := &watchedBody{ReadCloser: request.Body}
	request.Body = body
	g.next.ServeHTTP(&watchedAnswer{ResponseWriter: answer, request: request, body: body}, request)
}

func countHeaders(headers http.Header) int {
	count := 0
	for _, values := range headers {
		count += len(values)
	}
	return count
}

func isUnclear(address *url.URL) bool {
	path := strings.ToLower(address.EscapedPath())
	for _, sequence := range unclearInPaths {
		if strings.Contains(path, sequence) {
			return true
		}
	}
	for position := 0; position < len(address.RawQuery); position++ {
		if address.RawQuery[position] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// watchedBody remembers that the client did not send all of it. Traefik reads it while it waits for the answer.
type watchedBody struct {
	io.ReadCloser
	status int32
	ended  int32
}

func (b *watchedBody) Read(target []byte) (int, error) {
	// Traefik asks again after the end, perhaps when the answer has begun and closed the body: an error then would cut
	// the answer off.
	if atomic.LoadInt32(&b.ended) != 0 {
		return 0, io.EOF
	}
	count, err := b.ReadCloser.Read(target)
	switch {
	case err == nil || err == http.ErrBodyReadAfterClose:
	case err == io.EOF:
		atomic.StoreInt32(&b.ended, 1)
	default:
		atomic.StoreInt32(&b.status, int32(statusOf(err)))
	}
	return count, err
}

func statusOf(err error) int {
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

// watchedAnswer replaces what Traefik answers where the body ended too soon: 499, or 500 or 502 as if it
// were a service's fault.
type watchedAnswer struct {
	http.ResponseWriter
	request  *http.Request
	body     *watchedBody
	replaced bool
}

func (a *watchedAnswer) WriteHeader(status int) {
	wrong := int(atomic.LoadInt32(&a.body.status))
	if status == clientClosed && wrong == 0 {
		wrong = http.StatusBadRequest
	}
	if wrong == 0 || status < clientClosed {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.replaced = true
	detail := incomplete
	if wrong == http.StatusRequestTimeout {
		detail = late
	}
	refuse(a.ResponseWriter, a.request, wrong, detail)
}

func (a *watchedAnswer) Write(content []byte) (int, error) {
	if a.replaced {
		return len(content), nil
	}
	return a.ResponseWriter.Write(content)
}

func refuse(answer http.ResponseWriter, request *http.Request, status int, detail string) {
	headers := answer.Header()
	headers.Del("Content-Length")
	headers.Set("Cache-Control", "no-store")
	headers.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	headers.Set("Vary", "Accept")
	headers.Set("X-Content-Type-Options", "nosniff")
	title := http.StatusText(status)
	if strings.Contains(request.Header.Get("Accept"), "text/html") {
		headers.Set("Content-Type", "text/html; charset=utf-8")
		answer.WriteHeader(status)
		fmt.Fprintf(answer, page, title, detail)
		return
	}
	headers.Set("Content-Type", "application/problem+json")
	answer.WriteHeader(status)
	_ = json.NewEncoder(answer).Encode(problem{"about:blank", title, status, detail})
}
