package worqhat

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	// maxIdle is how long an unused connection may still be used again. A
	// server drops idle ones sooner or later, and a request that meets the drop
	// is lost after it was sent: a false unknown. Two seconds is below the limit
	// of every server known to us.
	maxIdle = 2 * time.Second

	connectTimeout   = 15 * time.Second
	handshakeTimeout = 15 * time.Second
	maxHeaderBytes   = 64 << 10
	maxIdlePerHost   = 256

	// writeBufferBytes is what net/http takes of a body at once. It copies bodies
	// by 32 KiB whatever this is; larger buffers and larger writes (256 KiB,
	// 1 MiB, also by a ReadFrom of our own) were measured and were no faster.
	writeBufferBytes = 32 << 10
)

// newTransport makes the transport of a client. plain: the base URL is http, so
// every dialled address must be loopback, whatever a name resolves to.
func newTransport(plain bool) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}
	if plain {
		dialer.Control = loopbackOnly
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: c, readEnded: make(chan struct{})}, nil
		},
		Proxy:                  http.ProxyFromEnvironment, // which leaves out loopback
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        writeBufferBytes,
		DisableCompression:     true,
	}
	return t
}

// loopbackOnly refuses to connect to anything but this machine.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("http is for this machine alone, and %s is another: use https", address)
	}
	return nil
}

// DefaultBaseURL is where WorqHat is unless Options say otherwise.
const DefaultBaseURL = "https://api.worqhat.com"

// parseBaseURL checks the base URL: https, or http to this machine.
func parseBaseURL(text string) (*url.URL, error) {
	if text == "" {
		text = DefaultBaseURL
	}
	u, err := url.Parse(text)
	if err != nil {
		// The error of url.Parse would show a password.
		return nil, fmt.Errorf("base_url: it is no URL; write it like %s", DefaultBaseURL)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("base_url: it holds a user or a password; the API key belongs in a file or a variable")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("base_url: it has more than scheme, host and path; write it like %s", DefaultBaseURL)
	case u.Hostname() == "":
		return nil, fmt.Errorf("base_url %q: no host; write it like %s", text, DefaultBaseURL)
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, fmt.Errorf("base_url %q: http would show the key to the network; use https", text)
	default:
		return nil, fmt.Errorf("base_url %q: scheme %q is not supported; use https", text, u.Scheme)
	}
	if u.Path == "" {
		u.Path = "/" // JoinPath keeps a relative path relative
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
